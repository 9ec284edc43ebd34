/** Jobs: queues, dead letters, tasks and schedules. */

import { PageHead } from "../../ui/display.tsx";
import { Tabs } from "../../ui/tabs.tsx";
import { DeadLetters } from "./DeadLetters.tsx";
import { Queues } from "./Queues.tsx";
import { Schedules } from "./Schedules.tsx";
import { Tasks } from "./Tasks.tsx";

const TABS = { queues: Queues, dead: DeadLetters, tasks: Tasks, schedules: Schedules };
const NAMES = { queues: "Queues", dead: "Dead letters", tasks: "Tasks", schedules: "Schedules" };
type Tab = keyof typeof TABS;

export default function JobsPage({ tab = "queues" }: { tab?: string }) {
  const shown: Tab = tab in TABS ? (tab as Tab) : "queues";
  const Shown = TABS[shown];
  return (
    <>
      <PageHead title="Jobs" about="Work that is stored at once, done later, and never lost." />
      <Tabs label="Pages about jobs" tabs={(Object.keys(TABS) as Tab[]).map((name) => ({ path: name === "queues" ? "/jobs" : `/jobs/${name}`, name: NAMES[name] }))} />
      <Shown />
    </>
  );
}
