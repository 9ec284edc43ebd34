/** The frame of the shop, and its pages. */

import { Suspense, lazy, useEffect, useSyncExternalStore } from "react";
import { Link, Route, Router, Switch, useLocation } from "wouter";
import { useKeys } from "../keys.ts";
import { Boundary } from "../ui/boundary.tsx";
import { Empty, PageHead, Skeleton } from "../ui/display.tsx";
import { useCart } from "./cart.ts";

const list = () => import("./ListPage.tsx");
// The page that most people open first comes at the same time as the frame around it.
if (/^\/shop\/?$/.test(location.pathname)) void list();

const ListPage = lazy(list);
const ProductPage = lazy(() => import("./ProductPage.tsx"));
const CartPage = lazy(() => import("./CartPage.tsx"));
const CheckoutPage = lazy(() => import("./CheckoutPage.tsx"));
const OrderPage = lazy(() => import("./OrderPage.tsx"));
const OrdersPage = lazy(() => import("./OrdersPage.tsx"));

export function Shop() {
  return (
    <Router base="/shop">
      <Frame />
    </Router>
  );
}

function Frame() {
  const [path, go] = useLocation();
  const cart = useCart();
  const online = useOnline();
  useKeys({ go, places: [{ path: "/", key: "h" }, { path: "/cart", key: "c" }, { path: "/orders", key: "o" }] });
  useEffect(() => {
    // In braces: what it returns would be taken for the end of the effect.
    window.scrollTo(0, 0);
  }, [path]);
  const units = cart.data?.totalItems ?? 0;
  return (
    <>
      <a className="skip" href="#content">Skip to the page</a>
      <header className="shop-top">
        <Link href="/" className="brand">
          <img src="/icon.svg" alt="" width="28" height="28" /> The shop
        </Link>
        <nav className="row" aria-label="The shop">
          <Link href="/orders" className="button plain">Orders</Link>
          <Link href="/cart" className="button" aria-label={`Cart, ${units} ${units === 1 ? "thing" : "things"}`}>
            Cart <span className="badge good number">{units}</span>
          </Link>
        </nav>
      </header>
      {online ? null : (
        <div className="notice warn offline" role="status">
          <p>You are offline. What you see may be old; prices and stock are checked again when you are back.</p>
        </div>
      )}
      <main id="content" className="shop-content" tabIndex={-1}>
        <Boundary key={path}>
          <Suspense fallback={<Skeleton />}>
            <Switch>
              <Route path="/"><ListPage /></Route>
              <Route path="/products/:id">{({ id }) => <ProductPage id={id} />}</Route>
              <Route path="/cart"><CartPage /></Route>
              <Route path="/checkout"><CheckoutPage /></Route>
              <Route path="/orders"><OrdersPage /></Route>
              <Route path="/orders/:id">{({ id }) => <OrderPage id={id} />}</Route>
              <Route>
                <PageHead title="No such page" />
                <Empty title="Nothing is here" actions={<Link href="/" className="button primary">See everything</Link>}>
                  The address may be mistyped, or the product has left the shop.
                </Empty>
              </Route>
            </Switch>
          </Suspense>
        </Boundary>
      </main>
      <footer className="shop-foot soft small">Prices and stock are those of this moment. <a href="/">The console of this shop</a></footer>
    </>
  );
}

function useOnline(): boolean {
  const listen = (changed: () => void) => {
    window.addEventListener("online", changed);
    window.addEventListener("offline", changed);
    return () => {
      window.removeEventListener("online", changed);
      window.removeEventListener("offline", changed);
    };
  };
  return useSyncExternalStore(listen, () => navigator.onLine);
}
