/** The first minute: three commands that work on this very server, and sample data for those who would rather look. */

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "wouter";
import { pando, wordsFor } from "../../api.ts";
import { count } from "../../format.ts";
import { Button } from "../../ui/controls.tsx";
import { Command } from "../../ui/display.tsx";
import { useToast } from "../../ui/toasts.tsx";
import { useSession } from "../session.ts";
import { makeSamples } from "./samples.ts";

export function FirstSteps() {
  const queries = useQueryClient();
  const say = useToast();
  const session = useSession();
  const profiles = useQuery({
    queryKey: ["profiles", "count"],
    queryFn: async ({ signal }) => {
      const answer = await pando.get("/api/v1/profiles", { query: { limit: 1, count: "estimated" }, signal });
      return { total: Number(answer.headers.get("x-total-count") ?? answer.data.length), id: answer.data[0]?.id };
    },
  });
  const samples = useMutation({
    mutationFn: makeSamples,
    onSuccess: async (made) => {
      await queries.invalidateQueries();
      say(`${made.products} products, ${made.customers} customers and ${made.assessments} assessments were made.`);
    },
    onError: (error) => say(wordsFor(error), "bad"),
  });
  const here = location.origin;
  const key = session.data?.mode === "required" ? " -H \"Authorization: Bearer $KEY\"" : "";
  return (
    <section className="card stack">
      <div>
        <h2>Try it in a terminal</h2>
        <p className="soft">
          {key ? "Set KEY to a key that `pando keys create` made. " : "These work as they are. "}
          Run the first one twice: the profile is created once.
        </p>
      </div>
      <Command
        text={`curl -s ${here}/api/v1/profiles${key} -H 'Content-Type: application/json' -H 'Idempotency-Key: my-first-profile' -d '{"name": "Ada", "email": "ada@example.org"}'`}
      />
      <Command text={`curl -s '${here}/api/v1/profiles?q=ada&limit=3'${key}`} />
      <Command text={`curl -s ${here}/health`} />
      <div>
        <h2>Or look around</h2>
        <p className="soft">
          {profiles.data ? (
            <>
              <Link href="/profiles">{count(profiles.data.total)} profiles</Link> are here.{" "}
            </>
          ) : null}
          Sample data adds products to <a href="/shop">the shop</a>, <Link href="/customers">customers</Link>, and businesses whose{" "}
          <Link href="/risk">risk</Link> was assessed.
        </p>
      </div>
      <div className="row">
        <Button kind="primary" busy={samples.isPending} onClick={() => samples.mutate()}>
          Make sample data
        </Button>
        <a className="button" href="/docs">
          Read the API description
        </a>
      </div>
    </section>
  );
}
