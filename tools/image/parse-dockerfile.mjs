// Reads a Dockerfile into its stages. It knows what deploy/docker/Dockerfile uses, and refuses the rest.

/** @returns {{ readonly name: string, readonly steps: readonly { readonly word: string, readonly rest: string }[] }[]} */
export function parseDockerfile(text) {
  const stages = [];
  for (const { word, rest } of instructionsIn(text)) {
    if (word === "FROM") {
      const [, name = "final"] = /\sAS\s+(\S+)$/i.exec(rest) ?? [];
      stages.push({ name, steps: [] });
    } else if (stages.length > 0) stages.at(-1).steps.push({ word, rest });
    else if (word !== "ARG") throw new Error(`${word} stands before FROM`);
  }
  return stages;
}

function instructionsIn(text) {
  const lines = text.split("\n").filter((line) => !line.startsWith("#"));
  const whole = lines.join("\n").replace(/\\\n\s*/g, "");
  return whole
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => {
      const [, word = "", rest = ""] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
      if (!known.has(word)) throw new Error(`Not an instruction that this tool knows: ${line}`);
      return { word, rest: rest.trim() };
    });
}

const known = new Set(
  "FROM ARG LABEL ENV WORKDIR COPY RUN VOLUME USER EXPOSE STOPSIGNAL HEALTHCHECK ENTRYPOINT CMD".split(" "),
);

/** What a stage says to the one that runs it. */
export function settingsOf(steps) {
  const last = (word) => steps.findLast((step) => step.word === word)?.rest;
  const list = (text) => JSON.parse(text.slice(text.indexOf("[")));
  return {
    folder: last("WORKDIR"),
    user: last("USER"),
    volume: last("VOLUME"),
    stopSignal: last("STOPSIGNAL"),
    environment: Object.fromEntries(steps.filter(({ word }) => word === "ENV").map(({ rest }) => rest.split("="))),
    health: list(last("HEALTHCHECK")),
    entrypoint: list(last("ENTRYPOINT")),
    command: list(last("CMD")),
  };
}
