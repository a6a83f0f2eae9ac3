import { Api, Problem, textOf } from "./api.ts";
import { timeline } from "./timeline.svelte.ts";

const place = "troupe-token";

/** The login of this tab. */
class Login {
  api: Api | undefined = $state.raw(undefined);
  problem: string = $state("");

  /** Takes the token that this tab was given before. */
  resume(): void {
    const token = sessionStorage.getItem(place);
    if (token !== null) this.api = this.#apiOf(token);
  }

  /** Asks the host whether it takes the token, and keeps it for this tab. */
  async enter(token: string): Promise<void> {
    this.problem = "";
    const api = new Api(token, () => undefined);
    try {
      await api.get("/v1/types", { limit: 1 });
    } catch (error) {
      const isWrong = error instanceof Problem && error.status === 401;
      this.problem = isWrong ? "The host does not take this token." : textOf(error);
      return;
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
    return new Api(token, () => this.leave("The host no longer takes the token. It has a new one after a restart."));
  }
}

export const login = new Login();

/** The way to the host, for views: they are there only while an operator is logged in. */
export function api(): Api {
  if (login.api === undefined) throw new Error("No operator is logged in.");
  return login.api;
}
