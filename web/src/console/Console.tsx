/** The frame of the console: who looks, where they can go, and the page they are on. */

import { Suspense, lazy, useEffect } from "react";
import { Link, Route, Switch, useLocation } from "wouter";
import { Boundary } from "../ui/boundary.tsx";
import { Empty, Loaded, PageHead, Skeleton } from "../ui/display.tsx";
import { Frame } from "./Frame.tsx";
import { LoginPage } from "./LoginPage.tsx";
import { mustLogIn, useSession } from "./session.ts";

const home = () => import("./home/HomePage.tsx");
// The page that most people open first comes at the same time as the answer to who they are.
if (location.pathname === "/") void home();

const HomePage = lazy(home);
const ProfilesPage = lazy(() => import("./profiles/ProfilesPage.tsx"));
const ProfilePage = lazy(() => import("./profiles/ProfilePage.tsx"));
const CustomersPage = lazy(() => import("./customers/CustomersPage.tsx"));
const CustomerPage = lazy(() => import("./customers/CustomerPage.tsx"));
const ImportPage = lazy(() => import("./customers/ImportPage.tsx"));
const RiskPage = lazy(() => import("./risk/RiskPage.tsx"));
const AssessmentPage = lazy(() => import("./risk/AssessmentPage.tsx"));
const CasesPage = lazy(() => import("./risk/CasesPage.tsx"));
const CasePage = lazy(() => import("./risk/CasePage.tsx"));
const ListsPage = lazy(() => import("./risk/ListsPage.tsx"));
const RulesPage = lazy(() => import("./risk/RulesPage.tsx"));
const CatalogPage = lazy(() => import("./commerce/CatalogPage.tsx"));
const ProductPage = lazy(() => import("./commerce/ProductPage.tsx"));
const WebhooksPage = lazy(() => import("./webhooks/WebhooksPage.tsx"));
const WebhookPage = lazy(() => import("./webhooks/WebhookPage.tsx"));
const JobsPage = lazy(() => import("./jobs/JobsPage.tsx"));
const CachesPage = lazy(() => import("./caches/CachesPage.tsx"));

export function Console() {
  const session = useSession();
  if (session.data && mustLogIn(session.data)) return <LoginPage session={session.data} />;
  return <Loaded of={session}>{(session) => <Frame session={session}>{<Pages />}</Frame>}</Loaded>;
}

function Pages() {
  const [path] = useLocation();
  useEffect(() => {
    // A new page is read from its top, by eyes and by screen readers.
    window.scrollTo(0, 0);
  }, [path]);
  return (
    <Boundary key={path}>
      <Suspense fallback={<Skeleton />}>
        <Switch>
          <Route path="/" component={HomePage} />
          <Route path="/profiles" component={ProfilesPage} />
          <Route path="/profiles/:id">{({ id }) => <ProfilePage id={id} />}</Route>
          <Route path="/customers" component={CustomersPage} />
          <Route path="/customers/import" component={ImportPage} />
          <Route path="/customers/:id">{({ id }) => <CustomerPage id={id} />}</Route>
          <Route path="/risk" component={RiskPage} />
          <Route path="/risk/cases" component={CasesPage} />
          <Route path="/risk/cases/:id">{({ id }) => <CasePage id={id} />}</Route>
          <Route path="/risk/lists" component={ListsPage} />
          <Route path="/risk/rules" component={RulesPage} />
          <Route path="/risk/assessments/:id">{({ id }) => <AssessmentPage id={id} />}</Route>
          <Route path="/commerce" component={CatalogPage} />
          <Route path="/commerce/:id">{({ id }) => <ProductPage id={id} />}</Route>
          <Route path="/webhooks" component={WebhooksPage} />
          <Route path="/webhooks/:id">{({ id }) => <WebhookPage id={id} />}</Route>
          <Route path="/jobs"><JobsPage /></Route>
          <Route path="/jobs/:tab">{({ tab }) => <JobsPage tab={tab} />}</Route>
          <Route path="/caches" component={CachesPage} />
          <Route>
            <PageHead title="No such page" />
            <Empty title="Nothing is here" actions={<Link className="button primary" href="/">Go home</Link>}>
              The address may be mistyped, or the page has moved.
            </Empty>
          </Route>
        </Switch>
      </Suspense>
    </Boundary>
  );
}
