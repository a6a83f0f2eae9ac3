import { releases, venvPython } from "./venvs.ts";

/** One generation of the wire protocol (protocol.md §1.1) and the interpreter that has its AutoGen release, if any. */
export interface Generation {
  readonly name: keyof typeof releases;
  readonly number: 1 | 2 | 3;
  /** The release of autogen-core and autogen-ext. */
  readonly release: string;
  readonly python: string | undefined;
  /** Why tests of this generation cannot run here; undefined when they can. */
  readonly skipReason: string | undefined;
  /** For titles: names the release and, where tests are skipped, the reason. */
  readonly title: string;
  /** How protobuf types are called in `dataschema` and `data_type`: before gen 3 by the bare class name. */
  readonly protobufName: (fullName: string) => string;
}

function generation(name: keyof typeof releases, number: 1 | 2 | 3): Generation {
  const python = venvPython(name);
  const { release } = releases[name];
  const skipReason =
    python === undefined
      ? `no environment with AutoGen ${release}: run "node tools/interop-venvs.mjs", which needs Python 3.10 to 3.12`
      : undefined;
  return {
    name,
    number,
    release,
    python,
    skipReason,
    title: `AutoGen ${release} (gen ${number})${skipReason === undefined ? "" : ` [skipped: ${skipReason}]`}`,
    protobufName: (fullName) => (number === 3 ? fullName : fullName.slice(fullName.lastIndexOf(".") + 1)),
  };
}

/**
 * The three generations, oldest first. In a test file:
 * `for (const generation of generations) describe.skipIf(generation.skipReason)(generation.title, () => { ... })`.
 */
export const generations: readonly Generation[] = [generation("gen1", 1), generation("gen2", 2), generation("gen3", 3)];
