// Cuts GitHub's own description of its API to the paths named as arguments and all that they refer to, since the
// whole (13 MB) takes a mock server too long to read. Usage: node cut.mjs FROM TO PATH...
import { readFileSync, writeFileSync } from "node:fs";

const [from, to, ...paths] = process.argv.slice(2);
const whole = JSON.parse(readFileSync(from, "utf8"));
const kept = { openapi: whole.openapi, info: whole.info, servers: whole.servers, paths: {}, components: {} };

function follow(value) {
  if (value === null || typeof value !== "object") return;
  if (typeof value.$ref === "string") {
    const [, section, kind, name] = value.$ref.split("/");
    if (section !== "components" || !(name in whole.components[kind])) throw new Error(`cannot follow ${value.$ref}`);
    kept.components[kind] ??= {};
    if (!(name in kept.components[kind])) {
      kept.components[kind][name] = whole.components[kind][name];
      follow(kept.components[kind][name]);
    }
  }
  Object.values(value).forEach(follow);
}

for (const path of paths) {
  if (!(path in whole.paths)) throw new Error(`GitHub describes no ${path}`);
  kept.paths[path] = whole.paths[path];
  follow(kept.paths[path]);
}
writeFileSync(to, JSON.stringify(kept));
