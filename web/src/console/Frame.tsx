/** What surrounds every page: the way to the others, who looks, and the keys. */

import { useEffect, useState, type ReactNode } from "react";
import { Link, useLocation } from "wouter";
import { useKeys } from "../keys.ts";
import { after, setTheme, theme, type Theme } from "../theme.ts";
import { Button } from "../ui/controls.tsx";
import { Window } from "../ui/windows.tsx";

import { PLACES, type Place } from "./places.ts";
import { useLogOut, type Session } from "./session.ts";

const THEMES: Record<Theme, string> = { system: "Colours: as the system", light: "Colours: light", dark: "Colours: dark" };

export function Frame({ session, children }: { session: Session; children: ReactNode }) {
  const [path, go] = useLocation();
  const [open, setOpen] = useState(false);
  const [help, setHelp] = useState(false);
  useKeys({ go, places: PLACES, help: () => setHelp(true) });
  useEffect(() => setOpen(false), [path]);
  useEffect(() => {
    const place = PLACES.filter((it) => it.path !== "/").find((it) => isAt(path, it.path));
    document.title = place ? `${place.name} · Pando` : "Pando";
  }, [path]);
  return (
    <div className="frame">
      <a className="skip" href="#content">Skip to the page</a>
      <div className="top">
        <Button kind="plain" onClick={() => setOpen(true)} aria-expanded={open} aria-label="Menu">
          <Icon path="M4 6h16M4 12h16M4 18h16" />
        </Button>
        <Link href="/" className="brand">
          <img src="/icon.svg" alt="" /> Pando
        </Link>
      </div>
      {open ? <button type="button" className="veil" aria-label="Close the menu" onClick={() => setOpen(false)} /> : null}
      <aside className={open ? "side open" : "side"}>
        <Link href="/" className="brand">
          <img src="/icon.svg" alt="" /> Pando
        </Link>
        <nav aria-label="Pages">
          {["", "What is kept", "What runs"].map((group) => (
            <div key={group}>
              {group ? <p>{group}</p> : null}
              {PLACES.filter((it) => it.group === group).map((it) => (
                <Entry key={it.path} place={it} current={isAt(path, it.path)} />
              ))}
            </div>
          ))}
        </nav>
        <Foot session={session} onHelp={() => setHelp(true)} />
      </aside>
      <main className="content" id="content" tabIndex={-1}>
        {children}
      </main>
      {help ? <Help onClose={() => setHelp(false)} /> : null}
    </div>
  );
}

function isAt(path: string, place: string): boolean {
  return place === "/" ? path === "/" : path === place || path.startsWith(`${place}/`);
}

function Entry({ place, current }: { place: Place; current: boolean }) {
  return (
    <Link href={place.path} aria-current={current ? "page" : undefined}>
      <Icon path={place.icon} /> {place.name}
    </Link>
  );
}

function Foot({ session, onHelp }: { session: Session; onHelp: () => void }) {
  const [colours, setColours] = useState(theme());
  const logOut = useLogOut();
  const turn = () => {
    setTheme(after(colours));
    setColours(after(colours));
  };
  return (
    <div className="foot">
      <a className="button plain small" href="/shop">Open the shop</a>
      <a className="button plain small" href="/docs">API description</a>
      <Button kind="plain" small onClick={turn}>{THEMES[colours]}</Button>
      <Button kind="plain" small onClick={onHelp}>
        Keys <kbd>?</kbd>
      </Button>
      {session.session ? (
        <Button kind="plain" small onClick={() => void logOut()}>
          Log {session.session.operator} out
        </Button>
      ) : null}
    </div>
  );
}

function Help({ onClose }: { onClose: () => void }) {
  return (
    <Window title="Keys" onClose={onClose}>
      <dl className="keys">
        <dt><kbd>/</kbd></dt>
        <dd>Search this page</dd>
        <dt><kbd>?</kbd></dt>
        <dd>Show this list</dd>
        {PLACES.map((place) => (
          <div key={place.path} style={{ display: "contents" }}>
            <dt><kbd>g</kbd> <kbd>{place.key}</kbd></dt>
            <dd>Go to {place.name}</dd>
          </div>
        ))}
        <dt><kbd>Esc</kbd></dt>
        <dd>Close a window</dd>
      </dl>
    </Window>
  );
}

export function Icon({ path }: { path: string }) {
  return (
    <svg width="18" height="18" viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="1.8" strokeLinecap="round" strokeLinejoin="round" aria-hidden="true">
      <path d={path} />
    </svg>
  );
}
