/** Light, dark, or as the system is. */

export type Theme = "system" | "light" | "dark";

const PLACE = "pando.theme";

export function theme(): Theme {
  const kept = localStorage.getItem(PLACE);
  return kept === "light" || kept === "dark" ? kept : "system";
}

export function setTheme(next: Theme): void {
  if (next === "system") {
    localStorage.removeItem(PLACE);
    delete document.documentElement.dataset.theme;
  } else {
    localStorage.setItem(PLACE, next);
    document.documentElement.dataset.theme = next;
  }
}

/** The theme after this one, for a button that goes round. */
export function after(current: Theme): Theme {
  return current === "system" ? "light" : current === "light" ? "dark" : "system";
}
