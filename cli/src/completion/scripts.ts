/** Shells that have a script. */
export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

/**
 * The script of a shell. It knows no command: with every Tab it asks `cmdop __complete`, which prints a word a
 * line, a tab and what it is; a line `:files` stands for the shell's own files.
 */
export const SCRIPTS: Readonly<Record<Shell, string>> = {
  // Bash takes a word apart at colons and more, and replaces only what is behind the last of them.
  bash: `_cmdop() {
  local line=\${COMP_LINE:0:COMP_POINT} words cur entry value with_files
  local IFS=$' \\t\\n'
  read -a words <<<"$line"
  [[ $line == *[[:space:]] ]] && words+=("")
  cur=\${words[\${#words[@]}-1]}
  local breaks=\${COMP_WORDBREAKS//[^:=@]/} before=
  [[ -n $breaks ]] && before=\${cur%"\${cur##*[$breaks]}"}
  COMPREPLY=()
  while IFS= read -r entry; do
    if [[ $entry == :files ]]; then
      with_files=1
      continue
    fi
    value=\${entry%%$'\\t'*}
    [[ $value == *[:/=] ]] && compopt -o nospace 2>/dev/null
    COMPREPLY+=("$(printf %q "\${value#"$before"}")")
  done < <("\${COMP_WORDS[0]}" __complete -- "\${words[@]:1}" 2>/dev/null)
  if [[ -n $with_files ]]; then
    compopt -o filenames 2>/dev/null
    while IFS= read -r entry; do COMPREPLY+=("$entry"); done < <(compgen -f -- "\${cur#"$before"}")
  fi
}
complete -F _cmdop cmdop
`,
  zsh: `#compdef cmdop
_cmdop() {
  local entry value about with_files
  local -a values shown open opened
  while IFS= read -r entry; do
    if [[ $entry == :files ]]; then
      with_files=1
      continue
    fi
    value=\${entry%%$'\\t'*}
    about=\${entry#*$'\\t'}
    [[ $about == $entry || -z $about ]] && about=$value || about="$value  -- $about"
    if [[ $value == *[:/=] ]]; then
      open+=("$value")
      opened+=("$about")
    else
      values+=("$value")
      shown+=("$about")
    fi
  done < <("\${(Q)words[1]}" __complete -- "\${(@Q)words[2,CURRENT]}" 2>/dev/null)
  (( \${#values} )) && compadd -l -d shown -a values
  (( \${#open} )) && compadd -S '' -l -d opened -a open
  [[ -n $with_files ]] && _files
}
if [[ \${funcstack[1]} == _cmdop ]]; then
  _cmdop "$@"
else
  (( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }
  compdef _cmdop cmdop
fi
`,
  fish: `function __cmdop_complete
    set -l words (commandline -opc)
    set -l cur (commandline -ct)
    for entry in ($words[1] __complete -- $words[2..-1] "$cur" 2>/dev/null)
        if test "$entry" = ":files"
            __fish_complete_path "$cur"
        else
            echo $entry
        end
    end
end
complete -c cmdop -f -a '(__cmdop_complete)'
`,
};
