/** The images of a profile: dropped here, sent with progress, shown in the smallest copy that is sharp enough. */

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { newKey } from "@pando/client";
import { pando, wordsFor, type Schemas } from "../../api.ts";
import { bytes } from "../../format.ts";
import { Button } from "../../ui/controls.tsx";
import { Loaded } from "../../ui/display.tsx";
import { useToast } from "../../ui/toasts.tsx";
import { Confirm } from "../../ui/windows.tsx";

type Image = Schemas["Image"];
const TYPES = ["image/jpeg", "image/png", "image/gif", "image/webp"];

export function Images({ id, onChange }: { id: string; onChange: () => Promise<unknown> }) {
  const queries = useQueryClient();
  const images = useQuery({
    queryKey: ["profile", id, "images"],
    queryFn: async ({ signal }) => (await pando.get("/api/v1/profiles/{id}/images", { path: { id }, signal })).data,
    // Smaller copies are made by a job.
    refetchInterval: (query) => (query.state.data?.some((it) => !it.ready) ? 1_000 : false),
  });
  const [removing, setRemoving] = useState<Image>();
  const say = useToast();
  return (
    <section className="card stack">
      <h2>Images</h2>
      <Loaded of={images} lines={2}>
        {(list) => (
          list.length === 0 ? null : (
            <div className="gallery">
              {list.map((it) => (
                <figure key={it.number}>
                  <a href={it.url} target="_blank" rel="noreferrer">
                    <img src={smallest(it)} alt={`Image ${it.number}, ${it.width} by ${it.height}`} loading="lazy" />
                  </a>
                  <figcaption>
                    <span className="soft">{it.ready ? bytes(it.bytes) : "making copies …"}</span>
                    <Button kind="plain" small aria-label={`Remove image ${it.number}`} onClick={() => setRemoving(it)}>✕</Button>
                  </figcaption>
                </figure>
              ))}
            </div>
          )
        )}
      </Loaded>
      <Dropping id={id} onSent={async () => { await queries.invalidateQueries({ queryKey: ["profile", id, "images"] }); await onChange(); }} />
      {removing ? (
        <Confirm
          title="Remove this image?"
          verb="Remove"
          danger
          onClose={() => setRemoving(undefined)}
          onYes={async () => {
            await pando.delete("/api/v1/profiles/{id}/images/{n}", { path: { id, n: removing.number } });
            await onChange();
            say("The image was removed.");
          }}
        >
          Its address stops answering, and so do those of its smaller copies.
        </Confirm>
      ) : null}
    </section>
  );
}

function smallest(image: Image): string {
  const sharp = image.variants.filter((it) => it.edge >= 240).sort((one, other) => one.edge - other.edge);
  return sharp[0]?.url ?? image.url;
}

function Dropping({ id, onSent }: { id: string; onSent: () => Promise<void> }) {
  const [over, setOver] = useState(false);
  const [sending, setSending] = useState<{ name: string; share: number; stop: AbortController }>();
  const input = useRef<HTMLInputElement>(null);
  const say = useToast();
  const send = async (files: Iterable<File>) => {
    for (const file of files) {
      if (!TYPES.includes(file.type)) {
        say(`${file.name} is no JPEG, PNG, GIF or WebP.`, "bad");
        continue;
      }
      const stop = new AbortController();
      setSending({ name: file.name, share: 0, stop });
      try {
        await pando.upload("post", `/api/v1/profiles/${encodeURIComponent(id)}/images`, file, {
          key: newKey(),
          signal: stop.signal,
          onProgress: (share) => setSending((before) => before && { ...before, share }),
        });
        await onSent();
      } catch (error) {
        say(`${file.name}: ${wordsFor(error)}`, "bad");
      } finally {
        setSending(undefined);
      }
    }
  };
  return (
    <div
      className={over ? "drop over" : "drop"}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        void send([...event.dataTransfer.files]);
      }}
    >
      {sending ? (
        <div className="stack tight" style={{ width: "100%" }} role="status">
          <span>{sending.name}: {Math.round(sending.share * 100)} %</span>
          <div className="progress"><i style={{ width: `${sending.share * 100}%` }} /></div>
          <span><Button small onClick={() => sending.stop.abort()}>Stop</Button></span>
        </div>
      ) : (
        <>
          <span>Drop pictures here, or</span>
          <Button onClick={() => input.current?.click()}>Choose files</Button>
          <input ref={input} type="file" accept={TYPES.join(",")} multiple hidden aria-label="Pictures" onChange={(event) => void send([...(event.target.files ?? [])])} />
        </>
      )}
    </div>
  );
}
