import { request } from "node:https";

/** A stream of text that a test reads. */
export interface ReadStream {
  /** All that has come. */
  readonly text: string;
  /** Resolves when the text matches. Rejects when the stream ends before. */
  until(pattern: RegExp): Promise<void>;
  end(): void;
}

/** Opens a stream at an address whose certificate is of this authority. Resolves when its headers have come. */
export function readStream(
  url: string,
  { ca, headers }: { readonly ca: string; readonly headers: Readonly<Record<string, string>> },
): Promise<ReadStream> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { ca, agent: false, headers }, (response) => {
      let [text, isOver] = ["", false];
      const looking = new Set<() => void>();
      const look = (): void => {
        for (const one of looking) one();
      };
      response.setEncoding("utf8").on("data", (piece: string) => {
        text += piece;
        look();
      });
      response.on("error", () => undefined);
      response.once("close", () => {
        isOver = true;
        look();
      });
      resolve({
        get text() {
          return text;
        },
        until: (pattern) =>
          new Promise((found, failed) => {
            const one = (): void => {
              if (!pattern.test(text) && !isOver) return;
              looking.delete(one);
              if (pattern.test(text)) found();
              else failed(new Error(`The stream has ended: ${text.slice(-500)}`));
            };
            looking.add(one);
            one();
          }),
        end: () => asked.destroy(),
      });
    });
    asked.once("error", reject).end();
  });
}
