// Shows /openapi.json and sends requests to the API that serves it. No library, nothing loaded from elsewhere.
"use strict";

const METHODS = ["get", "post", "put", "patch", "delete", "head", "options"];
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

function typeName(schema) {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  const either = schema.oneOf || schema.anyOf || schema.allOf;
  if (either) return either.map(typeName).join(schema.allOf ? " & " : " | ");
  const type = [].concat(schema.type || "any").join(" | ");
  return schema.items ? `array of ${typeName(schema.items)}` : schema.format ? `${type} (${schema.format})` : type;
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
  if (type === "string") return plain.format === "uuid" ? "00000000-0000-0000-0000-000000000000" : "";
  if (type === "integer" || type === "number") return plain.minimum ?? 0;
  return type === "boolean" ? false : {};
}

function table(heads, rows) {
  const row = (cell, cells) => make("tr", {}, ...cells.map((text) => make(cell, {}, text ?? "")));
  return make("div", { className: "scroll" }, make("table", {},
    make("thead", {}, row("th", heads)), make("tbody", {}, ...rows.map((cells) => row("td", cells)))));
}

function rules(schema) {
  const names = ["minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "pattern", "default"];
  return names.filter((name) => schema?.[name] !== undefined).map((name) => `${name} ${schema[name]}`).join(", ");
}

function schemaView(schema) {
  if (!schema?.properties) return make("p", {}, typeName(schema));
  const required = schema.required || [];
  return table(["field", "type", "", ""], Object.entries(schema.properties).map(([name, field]) =>
    [name, typeName(field), required.includes(name) ? "required" : "", [field.description, rules(field)].filter(Boolean).join("; ")]));
}

function responsesView(operation) {
  return table(["status", "", "body"], Object.entries(operation.responses || {}).map(([status, response]) => [
    status, response.description,
    Object.entries(response.content || {}).map(([media, content]) => `${media}: ${typeName(content.schema)}`).join("\n"),
  ]));
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
    inputs.push([parameter, field(label, make("input", { autocomplete: "off", required: parameter.required }))]);
  }
  const content = Object.entries(resolve(api, operation.requestBody)?.content || {});
  let media = null;
  let body = null;
  if (content.length > 0) {
    media = field("Content-Type", make("select", {}, ...content.map(([name]) => make("option", {}, name))));
    body = field("Body", make("textarea", { spellcheck: "false" }));
    const fill = () => {
      const sample = example(api, Object.fromEntries(content)[media.value]?.schema);
      body.value = typeof sample === "string" ? sample : JSON.stringify(sample, null, 2);
    };
    media.addEventListener("change", fill);
    fill();
  }
  const ifMatch = ["put", "patch", "delete"].includes(method) ? field("If-Match (the ETag you read)", make("input", { autocomplete: "off" })) : null;
  const button = make("button", { type: "submit" }, `Send ${method.toUpperCase()}`);
  const result = make("div", { "aria-live": "polite" });
  form.append(button, result);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    result.replaceChildren(await send(method, path, inputs, media, body, ifMatch));
    button.disabled = false;
  });
  return form;
}

async function send(method, path, inputs, media, body, ifMatch) {
  const headers = new Headers();
  const query = new URLSearchParams();
  let target = path;
  for (const [parameter, input] of inputs) {
    if (input.value === "") continue;
    if (parameter.in === "path") target = target.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
    if (parameter.in === "query") query.append(parameter.name, input.value);
    if (parameter.in === "header") headers.set(parameter.name, input.value);
  }
  const token = byId("token").value.trim();
  if (token) headers.set("Authorization", `Bearer ${token}`);
  if (ifMatch?.value) headers.set("If-Match", ifMatch.value);
  if (media) headers.set("Content-Type", media.value);
  const url = target + (query.size > 0 ? `?${query}` : "");
  const started = performance.now();
  try {
    const answer = await fetch(url, { method: method.toUpperCase(), headers, body: body ? body.value : undefined, cache: "no-store" });
    const text = await answer.text();
    const ms = (performance.now() - started).toFixed(1);
    let shown = text;
    try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { /* not JSON: shown as it came */ }
    const lines = [...answer.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
    return make("div", {}, make("p", {}, `${answer.status} ${answer.statusText} in ${ms} ms — ${method.toUpperCase()} ${url}`),
      make("pre", { tabindex: "0" }, lines), make("pre", { tabindex: "0" }, shown));
  } catch (error) {
    return make("p", {}, `No answer: ${error.message}`);
  }
}

function operationView(api, path, method, item) {
  const operation = item[method];
  const parameters = [...(item.parameters || []), ...(operation.parameters || [])].map((one) => resolve(api, one));
  const details = make("details", { className: "operation" }, make("summary", {},
    make("span", { className: `method ${method}` }, method), make("span", { className: "path" }, path),
    make("span", { className: "soft" }, operation.summary ? ` — ${operation.summary}` : "")));
  details.id = `${method}${path}`;
  details.dataset.words = [method, path, operation.summary, operation.description, ...(operation.tags || [])].join(" ").toLowerCase();
  // Built when it is first opened: a long document stays quick.
  details.addEventListener("toggle", () => {
    if (!details.open || details.childElementCount > 1) return;
    const inside = make("div", {}, operation.description ? make("p", {}, operation.description) : null);
    if (parameters.length > 0) {
      inside.append(make("h3", {}, "Parameters"), table(["name", "in", "type", "", ""], parameters.map((one) =>
        [one.name, one.in, typeName(one.schema), one.required ? "required" : "", [one.description, rules(one.schema)].filter(Boolean).join("; ")])));
    }
    for (const [media, content] of Object.entries(resolve(api, operation.requestBody)?.content || {})) {
      inside.append(make("h3", {}, `Body: ${media} — ${typeName(content.schema)}`), schemaView(resolve(api, content.schema)));
    }
    inside.append(make("h3", {}, "Responses"), responsesView(operation), sendForm(api, method, path, operation, parameters));
    details.append(inside);
  });
  return details;
}

function show(api) {
  document.title = api.info.title;
  byId("title").textContent = api.info.title;
  byId("version").textContent = [api.info.version, api.info.description].filter(Boolean).join(" — ");
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
    make("details", {}, make("summary", {}, name), make("div", {}, schema.description ? make("p", {}, schema.description) : null, schemaView(schema)))));
  byId("state").hidden = true;
  const linked = location.hash && byId(decodeURIComponent(location.hash.slice(1)));
  if (linked) { linked.open = true; linked.scrollIntoView(); }
}

byId("filter").addEventListener("input", (event) => {
  const words = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const section of byId("operations").children) {
    let any = false;
    for (const operation of section.querySelectorAll(".operation")) {
      operation.hidden = !words.every((word) => operation.dataset.words.includes(word));
      any ||= !operation.hidden;
    }
    section.hidden = !any;
  }
});

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
