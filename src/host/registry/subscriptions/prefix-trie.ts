import { Multiset } from "./multiset.ts";

interface Node {
  /** The characters between the parent's prefix and this node's; empty for the root only. */
  edge: string;
  readonly types: Multiset<string>;
  /** Children by the first UTF-16 unit of their edges. */
  readonly children: Map<number, Node>;
}

function createNode(edge: string): Node {
  return { edge, types: new Multiset(), children: new Map() };
}

/**
 * Prefixes of topic types as a tree. It has at most two nodes for each prefix, however long they are. A walk takes as many
 * steps as the topic type and a prefix share.
 */
export class PrefixTrie {
  readonly #root = createNode("");

  /** Counts the nodes by a walk over all of them; the root is none. */
  get nodeCount(): number {
    return countBelow(this.#root);
  }

  /** Returns whether it is the first of its kind. */
  add(prefix: string, agentType: string): boolean {
    let node = this.#root;
    for (let at = 0; at < prefix.length; at += node.edge.length) node = descend(node, prefix, at);
    return node.types.add(agentType);
  }

  /** Takes back one `add`, and the nodes that then hold nothing. Returns whether it was the last of its kind. */
  remove(prefix: string, agentType: string): boolean {
    const path = [this.#root];
    let node = this.#root;
    for (let at = 0; at < prefix.length; at += node.edge.length) {
      const child = node.children.get(prefix.charCodeAt(at));
      if (child === undefined || !prefix.startsWith(child.edge, at)) return false;
      node = child;
      path.push(node);
    }
    const isLast = node.types.remove(agentType);
    const parent = path.at(-2);
    if (parent === undefined || !node.types.isEmpty) return isLast;
    shrink(parent, node);
    const grandparent = path.at(-3);
    if (grandparent !== undefined && parent.types.isEmpty) shrink(grandparent, parent);
    return isLast;
  }

  visit(topicType: string, visit: (agentType: string) => void): void {
    let node: Node | undefined = this.#root;
    for (let at = 0; node !== undefined && topicType.startsWith(node.edge, at); ) {
      node.types.visit(visit);
      at += node.edge.length;
      node = at < topicType.length ? node.children.get(topicType.charCodeAt(at)) : undefined;
    }
  }

  /** Whether the test holds for an agent type that `visit` would visit. */
  some(topicType: string, test: (agentType: string) => boolean): boolean {
    let node: Node | undefined = this.#root;
    for (let at = 0; node !== undefined && topicType.startsWith(node.edge, at); ) {
      if (node.types.some(test)) return true;
      at += node.edge.length;
      node = at < topicType.length ? node.children.get(topicType.charCodeAt(at)) : undefined;
    }
    return false;
  }
}

/** The child of `node` on the way to `prefix`, whose characters up to `at` are behind it; made if there is none. */
function descend(node: Node, prefix: string, at: number): Node {
  const unit = prefix.charCodeAt(at);
  const child = node.children.get(unit) ?? createNode(prefix.slice(at));
  const shared = sharedLength(child.edge, prefix, at);
  if (shared === child.edge.length) {
    node.children.set(unit, child);
    return child;
  }
  const between = createNode(child.edge.slice(0, shared));
  child.edge = child.edge.slice(shared);
  between.children.set(child.edge.charCodeAt(0), child);
  node.children.set(unit, between);
  return between;
}

/** Takes an empty node out: it goes, or its only child takes its place. */
function shrink(parent: Node, node: Node): void {
  if (node.children.size > 1) return;
  const unit = node.edge.charCodeAt(0);
  const [child] = node.children.values();
  if (child === undefined) {
    parent.children.delete(unit);
    return;
  }
  child.edge = node.edge + child.edge;
  parent.children.set(unit, child);
}

function sharedLength(edge: string, prefix: string, at: number): number {
  let length = 0;
  while (length < edge.length && edge.charCodeAt(length) === prefix.charCodeAt(at + length)) length += 1;
  return length;
}

function countBelow(node: Node): number {
  let count = 0;
  for (const child of node.children.values()) count += 1 + countBelow(child);
  return count;
}
