/** Pages beside each other. */

import { Link, useLocation } from "wouter";

export function Tabs({ label, tabs }: { label: string; tabs: { path: string; name: string }[] }) {
  const [path] = useLocation();
  return (
    <nav className="tabs" aria-label={label}>
      {tabs.map((tab) => (
        <Link key={tab.path} href={tab.path} aria-current={path === tab.path ? "page" : undefined}>
          {tab.name}
        </Link>
      ))}
    </nav>
  );
}
