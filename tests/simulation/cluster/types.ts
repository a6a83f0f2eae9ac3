/** The agent types of the worlds. */
export const sharedType = "writer";
export const exclusiveType = "clerk";

export function isShared(type: string): boolean {
  return type === sharedType;
}
