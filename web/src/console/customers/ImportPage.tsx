/** Customers from a file: a preview, the upload with its progress, and the lines that were refused. */

import { useQueryClient } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { Link } from "wouter";
import { newKey } from "@pando/client";
import { pando, type Schemas } from "../../api.ts";
import { count, many } from "../../format.ts";
import { Button, FormError } from "../../ui/controls.tsx";
import { Badge, Empty, PageHead } from "../../ui/display.tsx";
import { readLines, type Line } from "./lines.ts";

/** A file is read in the page, so it must not be larger than the memory that a page may take. */
const FILE_BYTES_MAX = 50_000_000;
const PREVIEW_LINES = 8;

type Outcome = { answer: Schemas["CustomersImported"]; sent: Line[] };

export default function ImportPage() {
  const queries = useQueryClient();
  const input = useRef<HTMLInputElement>(null);
  const [file, setFile] = useState<{ name: string; lines: Line[]; key: string }>();
  const [share, setShare] = useState<number>();
  const [stop, setStop] = useState<AbortController>();
  const [outcome, setOutcome] = useState<Outcome>();
  const [error, setError] = useState<unknown>();

  const choose = async (chosen: File | undefined) => {
    setOutcome(undefined);
    setError(undefined);
    if (!chosen) return;
    if (chosen.size > FILE_BYTES_MAX) {
      setError(new Error("The file is larger than 50 MB. Send it with POST /api/v1/customers/import, which takes files of any size."));
      return;
    }
    setFile({ name: chosen.name, lines: readLines(await chosen.text(), chosen.name), key: newKey() });
  };
  const good = file?.lines.filter((it) => it.customer) ?? [];
  const send = async () => {
    if (!file) return;
    const controller = new AbortController();
    setStop(controller);
    setShare(0);
    setError(undefined);
    try {
      const body = new Blob([good.map((it) => JSON.stringify(it.customer)).join("\n")], { type: "application/x-ndjson" });
      const answer = await pando.upload<Schemas["CustomersImported"]>("post", "/api/v1/customers/import", body, {
        key: file.key,
        signal: controller.signal,
        onProgress: setShare,
      });
      setOutcome({ answer, sent: good });
      await queries.invalidateQueries({ queryKey: ["customers"] });
    } catch (problem) {
      setError(problem);
    } finally {
      setStop(undefined);
      setShare(undefined);
    }
  };
  return (
    <>
      <PageHead title="Import customers" crumb={<Link href="/customers">Customers</Link>} about="A CSV file whose first line names the columns (name, email, phone; others are kept as more data), or one JSON object a line." />
      <div className="stack">
        <div className="row">
          <Button kind={file ? undefined : "primary"} onClick={() => input.current?.click()}>Choose a file</Button>
          <input ref={input} type="file" accept=".csv,.ndjson,.jsonl,text/csv" hidden aria-label="A file of customers" onChange={(event) => void choose(event.target.files?.[0])} />
          {file ? <span>{file.name}: {many(file.lines.length, "lines")}</span> : null}
        </div>
        {file && !outcome ? (
          <section className="card flush">
            <Preview lines={file.lines} />
            <div className="pager row between">
              <span className="small soft">{count(good.length)} will be sent, {count(file.lines.length - good.length)} cannot be read.</span>
              {stop ? (
                <span className="row">
                  <span role="status">{Math.round((share ?? 0) * 100)} % sent{share === 1 ? ", the server works" : ""}</span>
                  <Button small onClick={() => stop.abort()}>Stop</Button>
                </span>
              ) : (
                <Button kind="primary" disabled={good.length === 0} onClick={() => void send()}>Import {many(good.length, "customers")}</Button>
              )}
            </div>
          </section>
        ) : null}
        <FormError error={error} />
        {error && file ? <p className="soft small">If it broke off, import again: customers that were created are not created twice.</p> : null}
        {outcome && file ? <Result outcome={outcome} all={file.lines} /> : null}
        {!file && !error ? <div className="card"><Empty title="Choose a file to see what is in it">Nothing is sent before you have seen it.</Empty></div> : null}
      </div>
    </>
  );
}

function Preview({ lines }: { lines: Line[] }) {
  return (
    <div className="table-wrap">
      <table>
        <caption className="unseen">The first lines</caption>
        <thead><tr><th>Line</th><th>Name</th><th>E-mail</th><th>Phone</th><th /></tr></thead>
        <tbody>
          {lines.slice(0, PREVIEW_LINES).map((line) => (
            <tr key={line.number}>
              <td className="number soft">{line.number}</td>
              <td>{String(line.customer?.name ?? "–")}</td>
              <td>{String(line.customer?.email ?? "–")}</td>
              <td>{String(line.customer?.phone ?? "–")}</td>
              <td>{line.fault ? <Badge tone="bad">{line.fault}</Badge> : null}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Result({ outcome: { answer, sent }, all }: { outcome: Outcome; all: Line[] }) {
  const refused = [
    ...all.filter((it) => it.fault).map((it) => ({ line: it, why: it.fault ?? "" })),
    ...answer.problems.flatMap((it) => {
      const line = sent[it.line - 1];
      return line ? [{ line, why: `${it.field} ${it.message}` }] : [];
    }),
  ];
  const file = () => new Blob([refused.map((it) => it.line.text).join("\n")], { type: "text/plain" });
  return (
    <section className="card stack">
      <div className={`notice ${refused.length ? "warn" : "good"}`} role="status">
        <p>Created: {count(answer.created)}. Refused: {count(answer.refused + all.length - sent.length)}.</p>
      </div>
      {refused.length ? (
        <>
          <ul className="stack tight">
            {refused.slice(0, 20).map(({ line, why }) => (
              <li key={line.number}><span className="soft">Line {line.number}</span> {why}</li>
            ))}
          </ul>
          <div className="row">
            <Button onClick={() => download(file(), "refused-lines.txt")}>Download the refused lines</Button>
          </div>
        </>
      ) : null}
      <Link href="/customers">To the customers</Link>
    </section>
  );
}

function download(content: Blob, name: string) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1_000);
}
