/** The pages about risk. */

import { Tabs } from "../../ui/tabs.tsx";

export function RiskTabs() {
  return (
    <Tabs
      label="Pages about risk"
      tabs={[
        { path: "/risk", name: "Assessments" },
        { path: "/risk/cases", name: "Cases" },
        { path: "/risk/lists", name: "Lists" },
        { path: "/risk/rules", name: "Rules" },
      ]}
    />
  );
}
