import { TypeTally } from "./type-tally.ts";

interface Node {
  readonly types: TypeTally;
  readonly children: Map<number, Node>;
}

function createNode(): Node {
  return { types: new TypeTally(), children: new Map() };
}

/** Prefixes of topic types, one node per UTF-16 unit. Walking it costs as many steps as the topic type and a prefix share. */
export class PrefixTrie {
  readonly #root = createNode();

  add(prefix: string, agentType: string): void {
    let node = this.#root;
    for (let at = 0; at < prefix.length; at += 1) {
      const unit = prefix.charCodeAt(at);
      let child = node.children.get(unit);
      if (child === undefined) {
        child = createNode();
        node.children.set(unit, child);
      }
      node = child;
    }
    node.types.add(agentType);
  }

  /** Nodes that hold nothing any more go with it. */
  remove(prefix: string, agentType: string): void {
    const path = [this.#root];
    for (let at = 0; at < prefix.length; at += 1) {
      const child = path[at]?.children.get(prefix.charCodeAt(at));
      if (child === undefined) return;
      path.push(child);
    }
    path[prefix.length]?.types.remove(agentType);
    for (let depth = prefix.length; depth > 0; depth -= 1) {
      const node = path[depth];
      if (node === undefined || !node.types.isEmpty || node.children.size > 0) return;
      path[depth - 1]?.children.delete(prefix.charCodeAt(depth - 1));
    }
  }

  visit(topicType: string, visit: (agentType: string) => void): void {
    let node: Node | undefined = this.#root;
    for (let at = 0; node !== undefined; at += 1) {
      node.types.visit(visit);
      node = at < topicType.length ? node.children.get(topicType.charCodeAt(at)) : undefined;
    }
  }
}
