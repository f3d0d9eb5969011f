// Checks recorded exchanges against GitHub's own OpenAPI description.
//
//   node conformance.mjs FILE.jsonl [FILE.jsonl …]
//
// One JSON object per line: {method, path, query, request_body, status, response_body}.
// `path` has no host and no query; `query` is an object or a string; bodies are JSON or
// null. A path or method that GitHub does not have is a failure. Errors that GitHub may
// send anywhere (401, 403, 404, 429, 5xx) are often not described per operation: they
// must at least carry a `message`. Exit code: 0 all conform, 1 some do not, 2 usage.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import Ajv from "ajv";
import addFormats from "ajv-formats";

const files = process.argv.slice(2);
if (files.length === 0) {
  console.error("usage: node conformance.mjs FILE.jsonl [FILE.jsonl …]");
  process.exit(2);
}

const require = createRequire(import.meta.url);
// The package's index loads every variant (400 MB); one file is enough.
const description = JSON.parse(
  readFileSync(require.resolve("@octokit/openapi/generated/api.github.com.json"), "utf8"),
);

// The list's copy of this schema says that an account is a user *and* an enterprise (`allOf`); the
// schema itself, which is used for a single installation, says `anyOf`.
const installations = description.paths["/app/installations"].get.responses["200"].content["application/json"];
installations.schema.items = { $ref: "#/components/schemas/installation" };

// OpenAPI 3.0 says `nullable: true` where JSON Schema says `type: [..., "null"]`, and its
// examples are not schemas.
function toJsonSchema(node) {
  if (Array.isArray(node)) return node.map(toJsonSchema);
  if (node === null || typeof node !== "object") return node;
  const out = {};
  for (const [key, value] of Object.entries(node)) {
    // A property may be called `example` as well; there it is a schema with a type.
    const schemaLike = value !== null && typeof value === "object" && ("type" in value || "$ref" in value);
    if ((key === "example" || key === "examples") && !schemaLike) continue;
    if (key === "enum" || key === "default" || key === "const") out[key] = value;
    else out[key] = toJsonSchema(value);
  }
  if (out.nullable === true) {
    delete out.nullable;
    if (typeof out.type === "string") {
      out.type = [out.type, "null"];
      if (Array.isArray(out.enum) && !out.enum.includes(null)) out.enum = [...out.enum, null];
    } else {
      return { anyOf: [{ type: "null" }, out] };
    }
  } else if (out.nullable === false) {
    delete out.nullable;
  }
  return out;
}

const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: true, logger: false });
addFormats(ajv);
ajv.addFormat("uri-template", true);
ajv.addFormat("int64", true);
ajv.addSchema(toJsonSchema(description), "github");

const compiled = new Map();
function validator(pointer) {
  if (!compiled.has(pointer)) compiled.set(pointer, ajv.compile({ $ref: `github#${pointer}` }));
  return compiled.get(pointer);
}
const escapePointer = (part) => encodeURIComponent(String(part).replaceAll("~", "~0").replaceAll("/", "~1"));
const pointerOf = (...parts) => parts.map((part) => `/${escapePointer(part)}`).join("");

// These parameters may hold slashes (`contents/{path}`, `git/ref/{ref}`, `compare/{basehead}`).
const manySegments = new Set(["path", "ref", "basehead", "branch"]);
const routes = Object.keys(description.paths).map((template) => {
  const segments = template.split("/").slice(1);
  const source = segments
    .map((segment) =>
      segment
        .split(/(\{[^}]+\})/)
        .map((piece) => {
          const name = /^\{([^}]+)\}$/.exec(piece)?.[1];
          if (name === undefined) return piece.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
          return manySegments.has(name) ? ".+" : "[^/]+";
        })
        .join(""),
    )
    .join("/");
  return { template, regex: new RegExp(`^/${source}$`), literals: segments.filter((s) => !s.includes("{")).length };
});
routes.sort((a, b) => b.literals - a.literals);

function deref(value, pointer) {
  while (value && typeof value.$ref === "string") {
    pointer = value.$ref.slice(1);
    value = pointer.split("/").slice(1)
      .map((part) => decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~"))
      .reduce((node, part) => node?.[part], description);
  }
  return [value, pointer];
}

function jsonContent(holder, pointer) {
  const content = holder?.content ?? {};
  const type = Object.keys(content).find((name) => /[/+]json\b/.test(name));
  if (type === undefined || content[type].schema === undefined) return undefined;
  return `${pointer}${pointerOf("content", type, "schema")}`;
}

function describe(errors) {
  return errors.slice(0, 8).map((error) => {
    const extra = error.params?.missingProperty ?? error.params?.additionalProperty ?? error.params?.allowedValues?.join("|");
    return `${error.instancePath || "/"}: ${error.message}${extra === undefined ? "" : ` (${extra})`}`;
  });
}

function checkQuery(raw, parameters) {
  const query = typeof raw === "string"
    ? Object.fromEntries(new URLSearchParams(raw.replace(/^\?/, "")))
    : (raw ?? {});
  const problems = [];
  const known = new Map();
  for (const [parameter] of parameters) {
    if (parameter.in !== "query") continue;
    known.set(parameter.name, parameter);
    if (parameter.required && !(parameter.name in query)) problems.push(`query /${parameter.name}: is required`);
  }
  for (const [name, value] of Object.entries(query)) {
    const parameter = known.get(name);
    if (parameter === undefined) {
      problems.push(`query /${name}: GitHub knows no such parameter here`);
      continue;
    }
    const [schema] = deref(parameter.schema ?? {}, "");
    let typed = value;
    if (schema.type === "integer" && /^-?\d+$/.test(String(value))) typed = Number(value);
    if (schema.type === "boolean" && /^(true|false)$/.test(String(value))) typed = String(value) === "true";
    if (schema.type === "array" || schema.oneOf || schema.anyOf) continue;
    const check = ajv.compile(toJsonSchema(schema.$ref ? {} : schema));
    if (!check(typed)) problems.push(...describe(check.errors).map((text) => `query /${name} ${text}`));
  }
  return problems;
}

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

function checkGraphql(exchange) {
  const problems = [];
  if (exchange.method.toUpperCase() !== "POST") problems.push("request: GraphQL takes POST only");
  if (typeof exchange.request_body?.query !== "string") problems.push("request /query: must be string");
  if (exchange.status === 200 && !isObject(exchange.response_body?.data) && !Array.isArray(exchange.response_body?.errors)) {
    problems.push("response: has neither `data` nor `errors`");
  }
  return problems;
}

function check(exchange) {
  const path = exchange.path.split("?")[0].replace(/^\/api\/v3(?=\/)/, "");
  if (path === "/graphql" || path === "/api/graphql") return checkGraphql(exchange);
  const method = exchange.method.toLowerCase();
  const matching = routes.filter((route) => route.regex.test(path));
  if (matching.length === 0) return ["GitHub has no such path"];
  const route = matching.find((candidate) => description.paths[candidate.template][method] !== undefined);
  if (route === undefined) return [`GitHub has no ${exchange.method} on ${matching[0].template}`];
  const item = description.paths[route.template];
  const operation = item[method];
  const base = pointerOf("paths", route.template, method);
  const parameters = [...(item.parameters ?? []), ...(operation.parameters ?? [])].map((p) => deref(p, ""));
  const problems = checkQuery(exchange.query ?? exchange.path.split("?")[1], parameters);

  // A request that was refused may well have been wrong on purpose.
  const refused = exchange.status === 400 || exchange.status === 422;
  const body = exchange.request_body ?? null;
  if (operation.requestBody !== undefined && !refused) {
    const [holder, pointer] = deref(operation.requestBody, `${base}/requestBody`);
    const schema = jsonContent(holder, pointer);
    if (body === null) {
      if (holder.required) problems.push("request: a body is required");
    } else if (schema !== undefined) {
      const valid = validator(schema);
      if (!valid(body)) problems.push(...describe(valid.errors).map((text) => `request ${text}`));
    }
  } else if (operation.requestBody === undefined && body !== null && !(isObject(body) && Object.keys(body).length === 0)) {
    problems.push("request: this operation takes no body");
  }

  const answer = exchange.response_body ?? null;
  const described = operation.responses[String(exchange.status)];
  if (described === undefined) {
    if (exchange.status === 304) {
      if (answer !== null) problems.push("response: 304 has no body");
    } else if (exchange.status >= 400) {
      if (!isObject(answer) || typeof answer.message !== "string") problems.push("response /message: must be string");
    } else {
      problems.push(`response: GitHub never answers ${exchange.status} here (it knows ${Object.keys(operation.responses).join(", ")})`);
    }
    return problems;
  }
  const [holder, pointer] = deref(described, `${base}${pointerOf("responses", exchange.status)}`);
  const schema = jsonContent(holder, pointer);
  if (schema === undefined) {
    if (holder.content === undefined && answer !== null && answer !== "" && exchange.status < 300) {
      problems.push(`response: ${exchange.status} has no body here`);
    }
    return problems;
  }
  const valid = validator(schema);
  if (!valid(answer)) problems.push(...describe(valid.errors).map((text) => `response ${text}`));
  return problems;
}

let count = 0;
let failed = 0;
for (const file of files) {
  readFileSync(file, "utf8").split("\n").forEach((line, index) => {
    if (line.trim() === "") return;
    count += 1;
    let problems;
    let label = "";
    try {
      const exchange = JSON.parse(line);
      label = `${exchange.method} ${exchange.path} -> ${exchange.status}`;
      problems = check(exchange);
    } catch (error) {
      problems = [`cannot be checked: ${error.message}`];
    }
    if (problems.length > 0) {
      failed += 1;
      console.log(`${file}:${index + 1}: ${label}`);
      for (const problem of problems) console.log(`  ${problem}`);
    }
  });
}
console.log(`${count} exchanges validated, ${failed} failed`);
if (count === 0) console.error("no exchanges in the given files: nothing was shown");
process.exit(failed > 0 || count === 0 ? 1 : 0);
