// What rooms without a transport use of this folder: the transports are not loaded with it.
export { FairShare } from "./fair-share.ts";
export { partyOf } from "./party-of.ts";
