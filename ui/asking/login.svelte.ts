import { Api, Problem, textOf } from "./api.ts";
import { timeline } from "./timeline.svelte.ts";

const place = "troupe-token";
/** Stands in place of a token for the certificate of the browser. No token is empty. */
const byCertificate = "";

/** The login of this tab. */
class Login {
  api: Api | undefined = $state.raw(undefined);
  problem: string = $state("");

  /** Takes the token that this tab was given before. */
  resume(): void {
    const token = sessionStorage.getItem(place);
    if (token !== null) this.api = this.#apiOf(token);
  }

  /** Asks the host whether it knows the certificate of the browser. The page can't see that certificate. */
  enterByCertificate(): Promise<void> {
    return this.enter(byCertificate);
  }

  /** Asks the host whether it takes the token, and keeps it for this tab. */
  async enter(token: string): Promise<void> {
    this.problem = "";
    const api = new Api(token === byCertificate ? undefined : token, () => undefined);
    try {
      // About this host alone: a list would ask all hosts of the cluster.
      await api.get("/v1/host");
    } catch (error) {
      const status = error instanceof Problem ? error.status : undefined;
      // 403: a principal that may not see the host may see some of its agents.
      if (status !== 403) {
        this.problem = status === 401 ? refusalOf(token) : textOf(error);
        return;
      }
    }
    sessionStorage.setItem(place, token);
    this.api = this.#apiOf(token);
  }

  leave(problem = ""): void {
    sessionStorage.removeItem(place);
    timeline.clear();
    this.api = undefined;
    this.problem = problem;
  }

  #apiOf(token: string): Api {
    if (token === byCertificate)
      return new Api(undefined, () => this.leave("The host no longer knows the certificate of this browser."));
    return new Api(token, () => this.leave("The host no longer takes the token. It has a new one after a restart."));
  }
}

function refusalOf(token: string): string {
  if (token !== byCertificate) return "The host does not take this token.";
  return "The host knows no principal by a certificate of this browser.";
}

export const login = new Login();

/** The way to the host, for views: they are there only while an operator is logged in. */
export function api(): Api {
  if (login.api === undefined) throw new Error("No operator is logged in.");
  return login.api;
}
