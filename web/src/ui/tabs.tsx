/** Pages beside each other. */

import { useEffect, useRef } from "react";
import { Link, useLocation } from "wouter";

export function Tabs({ label, tabs }: { label: string; tabs: { path: string; name: string }[] }) {
  const [path] = useLocation();
  const list = useRef<HTMLElement>(null);
  useEffect(() => {
    // On a narrow screen the page that is shown may be beyond the edge.
    const current = list.current?.querySelector<HTMLElement>("[aria-current]");
    if (list.current && current) list.current.scrollLeft = current.offsetLeft - list.current.offsetLeft - 24;
  }, [path]);
  return (
    <nav className="tabs" aria-label={label} ref={list}>
      {tabs.map((tab) => (
        <Link key={tab.path} href={tab.path} aria-current={path === tab.path ? "page" : undefined}>
          {tab.name}
        </Link>
      ))}
    </nav>
  );
}
