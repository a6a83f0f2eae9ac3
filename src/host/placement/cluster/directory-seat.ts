import type { Epoch } from "../../../core/internal.ts";
import type { SharedType } from "../../registry/shared-type.ts";
import type {
  AgentDirectory,
  Claim,
  ClaimOutcome,
  ClaimPage,
  ClaimQuery,
  ClaimRequest,
  ClusterRegistrations,
  LetGoOutcome,
} from "../agent-directory.ts";
import type { PlaceVersions } from "../place-versions.ts";

/** The directory that a host uses: its own, until it joins a cluster before workers connect. */
export class DirectorySeat implements AgentDirectory {
  readonly versions: PlaceVersions;
  #now: AgentDirectory;

  constructor(own: AgentDirectory) {
    this.versions = own.versions;
    this.#now = own;
  }

  get size(): number {
    return this.#now.size;
  }

  get cluster(): ClusterRegistrations | undefined {
    return this.#now.cluster;
  }

  /** Uses another directory from now on. */
  use(directory: AgentDirectory): void {
    this.#now = directory;
  }

  find(type: SharedType, key: string): Claim | undefined {
    return this.#now.find(type, key);
  }

  holds(type: SharedType, key: string, workerId: string, epoch: Epoch): boolean {
    return this.#now.holds(type, key, workerId, epoch);
  }

  claim(request: ClaimRequest): ClaimOutcome | Promise<ClaimOutcome> {
    return this.#now.claim(request);
  }

  freeze(type: SharedType, claim: Claim): Promise<boolean> | undefined {
    return this.#now.freeze(type, claim);
  }

  letGo(type: SharedType, claim: Claim, to?: string): LetGoOutcome | Promise<LetGoOutcome> {
    return this.#now.letGo(type, claim, to);
  }

  stays(type: SharedType, claim: Claim): void {
    this.#now.stays(type, claim);
  }

  workerGone(workerId: string): void {
    this.#now.workerGone(workerId);
  }

  typeGone(type: SharedType): void {
    this.#now.typeGone(type);
  }

  list(query?: ClaimQuery): ClaimPage {
    return this.#now.list(query);
  }

  newestEpoch(type: Pick<SharedType, "era">): Epoch {
    return this.#now.newestEpoch(type);
  }

  claimsOf(workerId: string, limit: number, isPassedBy: (claim: Claim) => boolean): readonly Claim[] {
    return this.#now.claimsOf(workerId, limit, isPassedBy);
  }

  countOf(workerId: string): number {
    return this.#now.countOf(workerId);
  }
}
