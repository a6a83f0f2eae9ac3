/** What is said beside Python's own text when an ambient context is missing. */
export const ambientHint = "(The runtime must have been made with `ambient: ambientContexts` of troupe/context.)";
