// biome-ignore lint/correctness/useImportExtensions: the linter would have a further .mts added after .mjs
export { ensureVenvs, releases, venvPython } from "../../../tools/interop-venvs.mjs";
