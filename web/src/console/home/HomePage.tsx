/** Home: whether everything is well, what happens now, and where to begin. */

import { useQuery } from "@tanstack/react-query";
import { pando } from "../../api.ts";
import { ago, bytes, count, duration } from "../../format.ts";
import { Badge, Loaded, PageHead } from "../../ui/display.tsx";
import { Spark } from "../../ui/spark.tsx";
import { Figure } from "../figure.tsx";
import { readQueues, type QueueState } from "../jobs/queues.ts";
import { FirstSteps } from "./FirstSteps.tsx";
import { LastFailures } from "./LastFailures.tsx";
import { quantile, useLive, type LiveFigures } from "./live.ts";

export default function HomePage() {
  const live = useLive();
  return (
    <>
      <PageHead title="Home" about="One process, everything in it: what is kept, what runs, and what goes wrong." />
      <div className="stack loose">
        <Figures live={live} />
        <div className="split">
          <FirstSteps />
          <div className="stack loose">
            <Health />
            <LastFailures />
          </div>
        </div>
      </div>
    </>
  );
}

function Figures({ live }: { live: LiveFigures }) {
  const queues = useQuery({ queryKey: ["queues"], queryFn: ({ signal }) => readQueues(signal), refetchInterval: 5_000 });
  if (live.state === "forbidden" || live.state === "absent") {
    return (
      <div className="notice">
        <p>
          {live.state === "absent"
            ? "Live figures are on the address of operators only: see the settings admin.listen and admin.console."
            : "Live figures are about all tenants. Log in with an account of no tenant to see them."}
        </p>
      </div>
    );
  }
  const { counts, before, seconds } = live;
  const last = seconds.at(-1);
  const time = (share: number) => {
    const seconds = counts && quantile(before === counts ? undefined : before, counts, share);
    if (seconds === undefined) return "–";
    return Number.isFinite(seconds) ? `≤ ${duration(seconds)}` : "> 10 s";
  };
  const looked = counts ? counts.cache_hits + counts.cache_misses : 0;
  return (
    <section aria-label="Live figures" className="stack">
      <div className="figures">
        <Figure label="Requests per second" value={last ? last.perSecond.toFixed(last.perSecond < 10 ? 1 : 0) : "–"}>
          <Spark values={seconds.map((it) => it.perSecond)} label="Requests per second in the last minute" />
        </Figure>
        <Figure label="95 % of requests" value={time(0.95)} note={counts ? <>50 % {time(0.5)}<br />99 % {time(0.99)}</> : undefined} />
        <Figure label="Failed requests" value={counts ? count(counts.failures) : "–"} note={counts ? `of ${count(counts.requests)} since the start` : undefined} />
        <Figure
          label="Cache hits"
          value={looked && counts ? `${((counts.cache_hits / looked) * 100).toFixed(1)} %` : "–"}
          note={counts ? (looked ? `of ${count(looked)} look-ups` : "nothing was looked up yet") : undefined}
        />
        <Figure label="Oldest waiting job" value={oldest(queues.data)} note={queues.data ? `${count(waiting(queues.data))} wait, ${count(dead(queues.data))} dead` : undefined} />
        <Figure label="Memory" value={counts?.memory_bytes ? bytes(counts.memory_bytes) : "–"} note={counts ? `${count(counts.connections)} connections` : undefined} />
      </div>
      {live.state === "lost" ? (
        <div className="notice warn" role="status">
          <p>The server does not send figures at the moment. The page asks again by itself.</p>
        </div>
      ) : null}
    </section>
  );
}

const waiting = (queues: QueueState[]) => queues.reduce((sum, it) => sum + (it.counts.pending ?? 0), 0);
const dead = (queues: QueueState[]) => queues.reduce((sum, it) => sum + (it.counts.dead ?? 0), 0);

function oldest(queues: QueueState[] | undefined): string {
  const since = queues?.flatMap((it) => (it.oldest ? [it.oldest] : [])).sort()[0];
  return queues ? (since ? ago(since).replace(" ago", "") : "none") : "–";
}

function Health() {
  const health = useQuery({
    queryKey: ["health"],
    queryFn: async ({ signal }) => (await pando.get("/health", { signal })).data,
    refetchInterval: 5_000,
  });
  return (
    <section className="card">
      <div className="head">
        <h2>Health</h2>
        {health.data ? <Badge tone={health.data.status === "healthy" ? "good" : "bad"}>{health.data.status}</Badge> : null}
      </div>
      <Loaded of={health} lines={3}>
        {({ dependencies, version }) => (
          <ul className="health">
            {Object.entries(dependencies).map(([name, it]) => (
              <li key={name}>
                <span className={`dot ${it.status === "healthy" ? "good" : "bad"}`} />
                <span className="grow">{name}</span>
                <span className="soft small number">{it.reason ?? `${it.status}, ${duration((it.ms ?? 0) / 1000)}`}</span>
              </li>
            ))}
            <li>
              <span className="dot good" />
              <span className="grow">pando</span>
              <span className="soft small">version {version}</span>
            </li>
          </ul>
        )}
      </Loaded>
    </section>
  );
}
