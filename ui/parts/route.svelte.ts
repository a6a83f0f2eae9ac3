/** Where in the page the reader is: the parts of the address behind `#/`. */
export interface Route {
  readonly view: string;
  readonly rest: readonly string[];
}

function read(): Route {
  const [view = "", ...rest] = location.hash.replace(/^#\/?/, "").split("/").map(decoded);
  return { view: view === "" ? "overview" : view, rest };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

class Place {
  now: Route = $state.raw(read());

  constructor() {
    addEventListener("hashchange", () => {
      this.now = read();
    });
  }
}

export const place = new Place();

/** The address of a place in the page. */
export function linkTo(...parts: readonly string[]): string {
  return `#/${parts.map(encodeURIComponent).join("/")}`;
}
