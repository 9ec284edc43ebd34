/** The one form in which every error of the API reaches a caller, whichever form the service answers in. */

/** A field that is wrong, and why. */
export interface FieldFault {
  field: string;
  message: string;
}

/** A request that was refused, failed, or never got an answer. */
export class Failure extends Error {
  constructor(
    /** The HTTP status; 0 if there was no answer. */
    readonly status: number,
    /** The code of the answer, in the words of the service. */
    readonly code: string,
    message: string,
    readonly fields: FieldFault[] = [],
    /** Name this when you report the error. */
    readonly requestId?: string,
  ) {
    super(message);
    this.name = "Failure";
  }

  /** The fault of one field, if it is among those that are wrong. */
  fault(field: string): string | undefined {
    return this.fields.find((it) => it.field === field)?.message;
  }
}

type Loose = Record<string, unknown>;

/** Reads the answer to a request that was not carried out. */
export async function failureOf(answer: Response): Promise<Failure> {
  const body = (await answer.json().catch(() => ({}))) as Loose;
  const inner = (typeof body.error === "object" && body.error ? body.error : body) as Loose;
  const listed = (inner.errors ?? inner.fieldErrors ?? inner.validation ?? []) as Loose[];
  const fields = listed.map((it) => ({ field: String(it.field ?? ""), message: String(it.message ?? "") }));
  const words = [inner.detail, inner.message, body.detail, body.title].find((it) => typeof it === "string" && it !== "");
  return new Failure(
    answer.status,
    String(inner.code ?? "unknown"),
    String(words ?? `the server answered with ${answer.status}`),
    fields,
    answer.headers.get("x-request-id") ?? undefined,
  );
}
