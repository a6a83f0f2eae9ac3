import { request } from "node:https";

export interface HttpsAnswer {
  readonly status: number | undefined;
  readonly text: string;
}

/** Asks an address whose certificate is of this authority, over a connection of its own. */
export function httpsGet(
  url: string,
  ca: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<HttpsAnswer> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { ca, agent: false, headers }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (piece: string) => {
        text += piece;
      });
      response.once("end", () => resolve({ status: response.statusCode, text }));
    });
    asked.once("error", reject).end();
  });
}
