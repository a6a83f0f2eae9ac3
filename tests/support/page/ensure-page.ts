// biome-ignore lint/correctness/useImportExtensions: the linter would have a further .mts added after .mjs
export { ensurePage } from "../../../tools/page.mjs";
