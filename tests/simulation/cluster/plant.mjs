// Plants a bug into the source as it is loaded: `TROUPE_PLANT='{"file":…,"from":…,"to":…}' node --import this …`. For `planted.ts` alone.
import { register } from "node:module";

register("./plant-hooks.mjs", import.meta.url, { data: JSON.parse(process.env.TROUPE_PLANT ?? "null") });
