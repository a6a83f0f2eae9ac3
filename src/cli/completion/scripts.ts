import type { CommandWords } from "./command-words.ts";

/** Makes the script by which a shell completes the words of `troupe`. */
type ScriptMaker = (all: readonly CommandWords[]) => string;

/** Cases of a shell's `case`: a pattern, and the words that it stands for. */
type Cases = readonly (readonly [pattern: string, words: string])[];

const wordCases = (all: readonly CommandWords[]): Cases => all.map(({ path, words }) => [path, words.join(" ")]);
const valueCases = (all: readonly CommandWords[]): Cases =>
  all.flatMap(({ path, values }) =>
    values.map(({ flag, choices }) => [`${path} ${flag}`.trim(), choices.join(" ")] as const),
  );

/** Functions for both POSIX shells. They find the command in the words so far, and what may follow. Names have no characters that a shell reads. */
function posixFunction(all: readonly CommandWords[]): string {
  const lines = (cases: Cases): string => cases.map(([name, words]) => `    "${name}") echo "${words}" ;;`).join("\n");
  return `_troupe_words() {
  case "$1" in
${lines(wordCases(all))}
  esac
}
_troupe_values() {
  case "$1" in
${lines(valueCases(all))}
    *) return 1 ;;
  esac
}
_troupe_path() {
  local path="" word
  for word in "$@"; do
    case " $(_troupe_words "$path") " in
      *" $word "*) case "$word" in -*) ;; *) path="\${path:+$path }$word" ;; esac ;;
    esac
  done
  echo "$path"
}`;
}

const bash: ScriptMaker = (all) => `# Completion of troupe for bash: source <(troupe completion bash)
${posixFunction(all)}
_troupe() {
  local current="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}" path values
  path="$(_troupe_path "\${COMP_WORDS[@]:1:COMP_CWORD-1}")"
  if values="$(_troupe_values "\${path:+$path }$before")"; then
    if [ -n "$values" ]; then COMPREPLY=($(compgen -W "$values" -- "$current")); else COMPREPLY=($(compgen -f -- "$current")); fi
  else
    COMPREPLY=($(compgen -W "$(_troupe_words "$path")" -- "$current"))
  fi
}
complete -o filenames -F _troupe troupe`;

const zsh: ScriptMaker = (all) => `#compdef troupe
# Completion of troupe for zsh: source <(troupe completion zsh)
${posixFunction(all)}
_troupe() {
  local path_words values
  path_words="$(_troupe_path "\${(@)words[2,CURRENT-1]}")"
  if values="$(_troupe_values "\${path_words:+$path_words }\${words[CURRENT-1]}")"; then
    if [ -n "$values" ]; then compadd -- \${=values}; else _files; fi
  else
    compadd -- \${=$(_troupe_words "$path_words")}
  fi
}
compdef _troupe troupe`;

const fish: ScriptMaker = (all) => {
  const list = (cases: Cases): string =>
    cases.map(([name, words]) => `    case '${name}'\n      string split ' ' -- '${words}'`).join("\n");
  return `# Completion of troupe for fish: troupe completion fish | source
function __troupe_words
  switch "$argv[1]"
${list(wordCases(all))}
  end
end
function __troupe_values
  switch "$argv[1]"
${list(valueCases(all))}
    case '*'
      return 1
  end
  # string split fails where there is nothing to split.
  return 0
end
function __troupe_complete
  set -l words (commandline -opc)
  set -l path ''
  for word in $words[2..-1]
    if not string match -q -- '-*' $word; and contains -- $word (__troupe_words "$path")
      set path (string trim -- "$path $word")
    end
  end
  set -l values (__troupe_values (string trim -- "$path $words[-1]"))
  if test $status -eq 0
    if test -n "$values"
      printf '%s\\n' $values
    else
      __fish_complete_path (commandline -ct)
    end
  else
    __troupe_words "$path"
  end
end
complete -c troupe -f -a '(__troupe_complete)'`;
};

const powershell: ScriptMaker = (all) => {
  const table = (cases: Cases): string => cases.map(([name, words]) => `  '${name}' = '${words}'`).join("\n");
  return `# Completion of troupe for PowerShell: troupe completion powershell | Out-String | Invoke-Expression
$troupeWords = @{
${table(wordCases(all))}
}
$troupeValues = @{
${table(valueCases(all))}
}
Register-ArgumentCompleter -Native -CommandName troupe -ScriptBlock {
  param($current, $ast, $position)
  $words = @($ast.CommandElements | Where-Object { $_.Extent.EndOffset -lt $position } | ForEach-Object { $_.ToString() })
  $path = ''
  foreach ($word in $words | Select-Object -Skip 1) {
    if (-not $word.StartsWith('-') -and ($troupeWords[$path] -split ' ') -contains $word) { $path = "$path $word".Trim() }
  }
  $key = "$path $($words[-1])".Trim()
  $found = if ($words.Count -gt 1 -and $troupeValues.ContainsKey($key)) { $troupeValues[$key] } else { $troupeWords[$path] }
  # Without choices the shell completes names of files.
  $found -split ' ' | Where-Object { $_ -and $_.StartsWith($current) } |
    ForEach-Object { [System.Management.Automation.CompletionResult]::new($_) }
}`;
};

/** The shells for which there is a script. */
export const completionScripts = { bash, zsh, fish, powershell } as const;
export type Shell = keyof typeof completionScripts;
