/** Phrases of errors of stores that name options of the API, each with the phrase for a user of commands. */
const phrases: readonly (readonly [RegExp, string])[] = [
  [/, or open the store with takesOver if it is gone\./g, "."],
  [
    / belongs to stores with writers: "\w+"\. Open it so\./g,
    " belongs to hosts of the other kind, with or without --cluster.",
  ],
  [/If no such program runs any more, open it with takesOver\./g, "Stop them, or name another store."],
  [/, or open this one with takesOver\./g, "."],
  [/, or open the store with readOnly\./g, "."],
  [/ Open the store without readOnly\./g, ""],
  [/, or raise maxFileBytes if that is the limit\./g, "."],
  [/ \(troupe state check, or checkSqliteStore\)/g, " with troupe state check"],
  [/check the file with checkSqliteStore/g, "check the file with troupe state check"],
  [/ is longer than maxValueBytes \((\d+)\)/g, " is longer than the limit of $1"],
  [/ \((?:two thirds of )?max[A-Z]\w*(?:, max[A-Z]\w*)*\)/g, ""],
];

/** Writes the text of a store's error for users of the command line, who have flags and no options. Other texts stay as they are. */
export function textWithFlags(text: string): string {
  return phrases.reduce((said, [phrase, flag]) => said.replace(phrase, flag), text);
}
