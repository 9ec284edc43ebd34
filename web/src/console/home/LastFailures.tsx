/** The jobs that failed last. */

import { useQuery } from "@tanstack/react-query";
import { Link } from "wouter";
import { pando } from "../../api.ts";
import { words } from "../../format.ts";
import { Loaded, Time } from "../../ui/display.tsx";

export function LastFailures() {
  const failed = useQuery({
    queryKey: ["tasks", "failed", "last"],
    queryFn: async ({ signal }) => (await pando.get("/api/v1/tasks", { query: { status: "failed", limit: 5 }, signal })).data,
    refetchInterval: 10_000,
  });
  return (
    <section className="card">
      <div className="head">
        <h2>Last failures</h2>
        <Link href="/jobs/dead" className="small">Dead letters</Link>
      </div>
      <Loaded of={failed} lines={3}>
        {(tasks) =>
          tasks.length === 0 ? (
            <p className="soft">No task has failed.</p>
          ) : (
            <ul className="health">
              {tasks.map((task) => (
                <li key={task.id}>
                  <span className="dot bad" />
                  <span className="grow">
                    {words(task.task_type)}
                    <br />
                    <span className="soft small">{task.error}</span>
                  </span>
                  <span className="soft small"><Time at={task.updated_at} /></span>
                </li>
              ))}
            </ul>
          )
        }
      </Loaded>
    </section>
  );
}
