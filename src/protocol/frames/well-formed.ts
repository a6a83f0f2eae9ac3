/** The text with lone surrogates replaced, which UTF-8 can't hold: for texts that must get through whatever they are. */
export function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, "\ufffd");
}
