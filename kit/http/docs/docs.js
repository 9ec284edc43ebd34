// Shows /openapi.json and sends requests to the API that serves it. No library, nothing loaded from elsewhere.
"use strict";

const METHODS = ["get", "post", "put", "patch", "delete", "head", "options"];
const SAMPLES = { uuid: "00000000-0000-0000-0000-000000000000", email: "name@example.org", "date-time": "2026-01-31T12:00:00Z" };
const byId = (id) => document.getElementById(id);

// Everything from the document goes in as text, so that no description can become markup.
function make(tag, properties = {}, ...children) {
  const { className, ...rest } = properties;
  const node = document.createElement(tag);
  if (className) node.className = className;
  for (const [name, value] of Object.entries(rest)) {
    if (value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

function resolve(api, value) {
  if (!value || !value.$ref) return value;
  return value.$ref.slice(2).split("/").reduce((at, key) => at?.[key.replace(/~1/g, "/").replace(/~0/g, "~")], api);
}

// `words` in backticks are code; nothing else of Markdown is needed.
function prose(text) {
  return (text || "").split("`").map((part, index) => index % 2 ? make("code", {}, part) : part);
}

function joined(parts, mark) {
  return parts.flatMap((part, index) => index ? [mark, ...part] : part);
}

// The name of a type as nodes: what the document names is a link to it.
function typeName(schema) {
  if (!schema) return [];
  if (schema.$ref) {
    const name = schema.$ref.split("/").pop();
    return [make("a", { href: `#schema-${name}` }, name)];
  }
  if (schema.enum) return [schema.enum.map((value) => value ?? "null").join(" | ")];
  const either = schema.oneOf || schema.anyOf || schema.allOf;
  if (either) return joined(either.map(typeName), schema.allOf ? " & " : " | ");
  const types = [].concat(schema.type || "anything").map((type) => {
    if (type === "array") return ["array of ", ...(schema.items ? typeName(schema.items) : ["anything"])];
    return [type !== "null" && schema.format ? `${type} (${schema.format})` : type];
  });
  return joined(types, " | ");
}

function example(api, schema, depth = 0) {
  const plain = resolve(api, schema) || {};
  if (plain.example !== undefined) return plain.example;
  if (plain.examples?.length) return plain.examples[0];
  if (plain.default !== undefined) return plain.default;
  if (plain.enum) return plain.enum[0];
  const either = plain.oneOf || plain.anyOf;
  if (either) return example(api, either.find((one) => one.type !== "null") || either[0], depth + 1);
  if (plain.allOf) return Object.assign({}, ...plain.allOf.map((one) => example(api, one, depth + 1)));
  const type = [].concat(plain.type || []).find((one) => one !== "null");
  if (depth > 5) return null;
  if (type === "object" || plain.properties) {
    return Object.fromEntries(Object.entries(plain.properties || {}).map(([key, one]) => [key, example(api, one, depth + 1)]));
  }
  if (type === "array") return [example(api, plain.items, depth + 1)];
  if (type === "string") return SAMPLES[plain.format] ?? "text";
  if (type === "integer" || type === "number") return plain.minimum ?? 0;
  return type === "boolean" ? false : {};
}

function table(heads, rows) {
  return make("div", { className: "scroll" }, make("table", {},
    make("thead", {}, make("tr", {}, ...heads.map((head) => make("th", { scope: "col" }, head)))),
    make("tbody", {}, ...rows.map((cells) => make("tr", {}, ...cells.map((nodes) => make("td", {}, ...nodes)))))));
}

// A line for people, and below it what a program would read.
function rules(schema) {
  const names = ["minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "pattern", "default"];
  const stated = names.filter((name) => schema?.[name] !== undefined).map((name) => `${name} ${schema[name]}`).join(", ");
  return stated ? make("span", { className: "below" }, stated) : null;
}

function named(name, ...marks) {
  return [make("code", {}, name), make("span", { className: "below" }, marks.filter(Boolean).join(", "))];
}

function schemaView(schema) {
  if (!schema?.properties) return make("p", {}, ...typeName(schema));
  const required = schema.required || [];
  return table(["Field", "Type", "About"], Object.entries(schema.properties).map(([name, field]) =>
    [named(name, required.includes(name) && "required"), typeName(field), [...prose(field.description), rules(field)]]));
}

function parametersView(parameters) {
  return table(["Name", "Type", "About"], parameters.map((one) =>
    [named(one.name, one.in, one.required && "required"), typeName(one.schema), [...prose(one.description), rules(one.schema)]]));
}

function responsesView(operation) {
  return table(["Status", "Answer"], Object.entries(operation.responses || {}).map(([status, response]) => [
    [make("span", { className: `status s${status[0]}` }, status)],
    [...prose(response.description), ...Object.entries(response.content || {}).map(([media, content]) =>
      make("span", { className: "below" }, `${media}: `, ...typeName(content.schema)))],
  ]));
}

// A list where the document names every value, else a line of text.
function control(api, { schema, required }) {
  const plain = resolve(api, schema) || {};
  const known = plain.type === "boolean" ? [true, false] : plain.enum || plain.oneOf?.flatMap((one) => resolve(api, one)?.enum || []);
  if (!known?.length) return make("input", { autocomplete: "off", required });
  const options = known.filter((value) => value !== null).map((value) => make("option", {}, String(value)));
  return make("select", { required }, make("option", { value: "" }, "(not sent)"), ...options);
}

// What is chosen on this machine instead of typed: a whole body of bytes, or one part of a form.
function filePart(api, media, schema) {
  const binary = (one) => resolve(api, one)?.format === "binary" || resolve(api, one)?.contentMediaType;
  if (media.startsWith("multipart/")) {
    const fields = Object.entries(resolve(api, schema)?.properties || {});
    return { name: (fields.find(([, one]) => binary(one)) || fields[0])?.[0] ?? "file" };
  }
  return /^(image|audio|video)\/|octet-stream/.test(media) || binary(schema) ? { name: null } : null;
}

function sendForm(api, method, path, operation, parameters) {
  const inputs = [];
  const form = make("form", {}, make("h3", {}, "Try it"));
  const field = (label, input) => {
    input.id = `f${crypto.getRandomValues(new Uint32Array(2)).join("")}`;
    form.append(make("label", { for: input.id }, label), input);
    return input;
  };
  for (const parameter of parameters.filter((one) => one.in !== "cookie")) {
    const label = `${parameter.name} (${parameter.in}${parameter.required ? ", required" : ""})`;
    inputs.push([parameter, field(label, control(api, parameter))]);
  }
  const content = Object.entries(resolve(api, operation.requestBody)?.content || {});
  let media = null;
  let body = null;
  if (content.length > 0) {
    media = field("Content-Type", make("select", {}, ...content.map(([name]) => make("option", {}, name))));
    body = { text: field("Body", make("textarea", { spellcheck: "false" })), file: field("File", make("input", { type: "file" })), part: null };
    const fill = () => {
      const chosen = Object.fromEntries(content)[media.value];
      const sent = filePart(api, media.value, chosen.schema);
      body.part = sent?.name ?? null;
      body.isFile = Boolean(sent);
      for (const [input, shown] of [[body.text, !sent], [body.file, Boolean(sent)]]) {
        input.hidden = !shown;
        form.querySelector(`label[for="${input.id}"]`).hidden = !shown;
      }
      if (sent) return;
      const sample = chosen.example ?? example(api, chosen.schema);
      body.text.value = typeof sample === "string" ? sample : JSON.stringify(sample, null, 2);
    };
    media.addEventListener("change", fill);
    fill();
  }
  const button = make("button", { type: "submit" }, `Send ${method.toUpperCase()}`);
  // Only the first line is read out: an answer may be long.
  const outcome = make("p", { role: "status", className: "outcome" });
  const result = make("div");
  form.append(button, outcome, result);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    outcome.replaceChildren("Waiting for the answer…");
    result.replaceChildren();
    const live = (text) => result.replaceChildren(block("Body", text));
    const answer = await send(method, path, inputs, media, body, live);
    outcome.replaceChildren(...answer.outcome);
    result.replaceChildren(...answer.parts);
    button.disabled = false;
  });
  return form;
}

async function send(method, path, inputs, media, body, live) {
  const headers = new Headers();
  const query = new URLSearchParams();
  let target = path;
  const started = performance.now();
  try {
    for (const [parameter, input] of inputs) {
      if (input.value === "") continue;
      if (parameter.in === "path") target = target.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
      if (parameter.in === "query") query.append(parameter.name, input.value);
      if (parameter.in === "header") headers.set(parameter.name, input.value);
    }
    const token = byId("token").value.trim();
    if (token) headers.set("Authorization", `Bearer ${token}`);
    let content;
    if (body?.part) {
      // The browser writes the Content-Type of a form itself, with the words between its parts.
      content = new FormData();
      if (body.file.files[0]) content.append(body.part, body.file.files[0]);
    } else if (media) {
      headers.set("Content-Type", media.value);
      content = body.isFile ? body.file.files[0] : body.text.value;
    }
    const url = target + (query.size > 0 ? `?${query}` : "");
    const answer = await fetch(url, { method: method.toUpperCase(), headers, body: content, cache: "no-store" });
    const text = await read(answer, live);
    const ms = (performance.now() - started).toFixed(1);
    let shown = text;
    try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { /* not JSON: shown as it came */ }
    const lines = [...answer.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
    return {
      outcome: [make("span", { className: `status s${String(answer.status)[0]}` }, `${answer.status} ${answer.statusText}`.trim()),
        ` in ${ms} ms: ${method.toUpperCase()} ${url}`],
      parts: [block("Body", shown), block("Headers", lines)].filter(Boolean),
    };
  } catch (error) {
    return { outcome: [`No answer: ${error.message}`], parts: [] };
  }
}

// The whole text; events are shown as they come.
async function read(answer, live) {
  if (!answer.headers.get("Content-Type")?.startsWith("text/event-stream")) return answer.text();
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (let { value, done } = await reader.read(); !done; { value, done } = await reader.read()) {
    text += value;
    live(text);
  }
  return text;
}

function block(label, text) {
  if (text === "") return null;
  return make("div", {}, make("h4", {}, label), make("pre", { tabindex: "0", role: "region", "aria-label": label }, text));
}

function operationView(api, path, method, item) {
  const operation = item[method];
  const parameters = [...(item.parameters || []), ...(operation.parameters || [])].map((one) => resolve(api, one));
  const details = make("details", { className: "operation" }, make("summary", {},
    make("span", { className: `method ${method}` }, method), " ", make("span", { className: "path" }, path), " ",
    make("span", { className: "soft" }, operation.summary || "")));
  details.id = `${method}${path}`;
  details.dataset.words = [method, path, operation.summary, operation.description, ...(operation.tags || [])].join(" ").toLowerCase();
  // Built when it is first opened: a long document stays quick.
  details.addEventListener("toggle", () => {
    if (!details.open || details.childElementCount > 1) return;
    const inside = make("div", {}, operation.description ? make("p", {}, ...prose(operation.description)) : null);
    if (parameters.length > 0) inside.append(make("h3", {}, "Parameters"), parametersView(parameters));
    for (const [media, content] of Object.entries(resolve(api, operation.requestBody)?.content || {})) {
      inside.append(make("h3", {}, `Body: ${media}, `, ...typeName(content.schema)), schemaView(resolve(api, content.schema)));
    }
    inside.append(make("h3", {}, "Answers"), responsesView(operation), sendForm(api, method, path, operation, parameters));
    details.append(inside);
  });
  return details;
}

function show(api) {
  document.title = api.info.title;
  byId("title").textContent = api.info.title;
  byId("version").textContent = api.info.version;
  byId("introduction").append(...prose(api.info.description));
  byId("identity").hidden = !Object.keys(api.components?.securitySchemes || {}).length;
  const groups = new Map();
  for (const [path, item] of Object.entries(api.paths)) {
    for (const method of METHODS.filter((one) => item[one])) {
      const tag = item[method].tags?.[0] || "other";
      if (!groups.has(tag)) groups.set(tag, []);
      groups.get(tag).push(operationView(api, path, method, item));
    }
  }
  // The server's own routes come last: they are the same everywhere.
  const tags = [...groups.keys()].sort((a, b) => (a === "system") - (b === "system") || a.localeCompare(b));
  byId("operations").append(...tags.map((tag) => make("section", {}, make("h2", {}, tag), ...groups.get(tag))));
  byId("schemas").append(...Object.entries(api.components?.schemas || {}).map(([name, schema]) =>
    make("details", { id: `schema-${name}` }, make("summary", { className: "path" }, name),
      make("div", {}, schema.description ? make("p", {}, ...prose(schema.description)) : null, schemaView(schema)))));
  byId("about").hidden = false;
  byId("state").hidden = true;
  openLinked();
}

function openLinked() {
  const linked = location.hash && byId(decodeURIComponent(location.hash.slice(1)));
  if (!linked || linked.tagName !== "DETAILS") return;
  linked.open = true;
  linked.querySelector("summary").focus();
  linked.scrollIntoView();
}

addEventListener("hashchange", openLinked);

byId("filter").addEventListener("input", (event) => {
  const words = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
  let found = false;
  for (const section of byId("operations").children) {
    let any = false;
    for (const operation of section.querySelectorAll(".operation")) {
      operation.hidden = !words.every((word) => operation.dataset.words.includes(word));
      any ||= !operation.hidden;
    }
    section.hidden = !any;
    found ||= any;
  }
  byId("state").hidden = found;
  byId("state").textContent = "No operation matches.";
});

byId("tools").addEventListener("submit", (event) => event.preventDefault());

document.addEventListener("keydown", (event) => {
  if (event.key === "/" && !/^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName)) {
    event.preventDefault();
    byId("filter").focus();
  }
});

fetch("/openapi.json")
  .then((answer) => answer.ok ? answer.json() : Promise.reject(new Error(`status ${answer.status}`)))
  .then(show)
  .catch((error) => { byId("state").textContent = `The document cannot be shown: ${error.message}`; });
