/** The pages that the menu and the keys lead to. */

export interface Place {
  path: string;
  name: string;
  /** After `g`. */
  key: string;
  group: "" | "What is kept" | "What runs";
  icon: string;
}

export const PLACES: Place[] = [
  { path: "/", name: "Home", key: "h", group: "", icon: "M4 11l8-7 8 7v9h-5v-6H9v6H4z" },
  { path: "/profiles", name: "Profiles", key: "p", group: "What is kept", icon: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4 21c1-4 4-6 8-6s7 2 8 6" },
  { path: "/customers", name: "Customers", key: "c", group: "What is kept", icon: "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2 20c.7-3.5 3.3-5.5 7-5.500s6.3 2 7 5.500M16 4.500a3.5 3.5 0 0 1 0 6.200M18.5 15c2 .8 3.2 2.5 3.5 5" },
  { path: "/risk", name: "Risk", key: "r", group: "What is kept", icon: "M12 3l8 3v6c0 5-3.5 8-8 9-4.5-1-8-4-8-9V6zM9 12l2.2 2.200L15.5 10" },
  { path: "/commerce", name: "Commerce", key: "m", group: "What is kept", icon: "M5 8h14l-1 12H6zM9 8V6.500a3 3 0 0 1 6 0V8" },
  { path: "/webhooks", name: "Webhooks", key: "w", group: "What runs", icon: "M7 17a3 3 0 1 1-1.5-5.600M17 17H10M12 6.500a3 3 0 1 1 4.5 2.600L14 13.500M17 20a3 3 0 1 0-2.5-4.600M12 7l-4 7" },
  { path: "/jobs", name: "Jobs", key: "j", group: "What runs", icon: "M4 6h16M4 12h10M4 18h7M17 14v4l3 2" },
  { path: "/caches", name: "Caches", key: "k", group: "What runs", icon: "M13 3L5 14h6l-1 7 8-11h-6z" },
];
