import type { Command } from 'commander';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** One command and what may stand after it. */
interface Place {
  /** The commands before: `topics check`; empty for the program itself. */
  readonly path: string;
  readonly words: readonly { readonly word: string; readonly about: string }[];
  /** Whether it takes the name of a folder. */
  readonly folder: boolean;
}

/**
 * A shell's completion of a program, worked out from its commands: a new command or option is completed without a line
 * of its own. It is a fixed text, so that a Tab does not have to wait for Node.
 */
export function completionScript(program: Command, shell: Shell): string {
  const places = placesOf(program, '');
  const valued = [...new Set(valuedOptions(program))];
  return { bash, zsh, fish }[shell](program.name(), places, valued);
}

function placesOf(command: Command, path: string): Place[] {
  const subcommands = command.commands.filter((sub) => !hidden(sub));
  const inherited = command.parent?.parent ? command.parent.options : [];
  const words = [
    ...subcommands.map((sub) => ({ word: sub.name(), about: sub.description() })),
    ...command.registeredArguments.flatMap(({ argChoices = [], description }) =>
      argChoices.map((word) => ({ word, about: description })),
    ),
    ...[...command.options, ...inherited].flatMap(({ long, description }) =>
      long ? [{ word: long, about: description }] : [],
    ),
    { word: '--help', about: 'help of this command' },
  ];
  const seen = new Map(words.map((entry) => [entry.word, entry]));
  const folder = command.registeredArguments.some((argument) => argument.name() === 'folder');
  return [
    { path, words: [...seen.values()], folder },
    ...subcommands.flatMap((sub) => placesOf(sub, `${path} ${sub.name()}`.trim())),
  ];
}

function hidden(command: Command): boolean {
  return (command as unknown as { _hidden?: boolean })._hidden === true;
}

function valuedOptions(command: Command): string[] {
  const own = command.options.filter((option) => option.required || option.optional).flatMap(({ long }) => long ?? []);
  return [...own, ...command.commands.flatMap(valuedOptions)];
}

/** What leads from each place to a deeper one, as patterns of `case`: `'topics check'`. */
function steps(places: readonly Place[]): string[] {
  return places
    .filter(({ path }) => path !== '')
    .map(({ path }) => {
      const words = path.split(' ');
      return `'${words.slice(0, -1).join(' ')} ${words.at(-1)}'`;
    });
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

function bash(name: string, places: readonly Place[], valued: readonly string[]): string {
  const cases = places.map(({ path, words, folder }) => {
    const list = words.map(({ word }) => word).join(' ');
    const folders = folder ? ' $(compgen -d -- "$current")' : '';
    return `    ${quoted(path)}) COMPREPLY=($(compgen -W ${quoted(list)} -- "$current")${folders}) ;;`;
  });
  return `# ${name} for bash. Now: source <(${name} completion bash)
# For good: ${name} completion bash > ~/.local/share/bash-completion/completions/${name}
_${name}() {
  local current="\${COMP_WORDS[COMP_CWORD]}" path='' i
  COMPREPLY=()
  case "\${COMP_WORDS[COMP_CWORD - 1]}" in
    ${valued.join(' | ')}) return ;;
  esac
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$path \${COMP_WORDS[i]}" in
      ${steps(places).join(' | ')}) path="\${path:+$path }\${COMP_WORDS[i]}" ;;
    esac
  done
  case "$path" in
${cases.join('\n')}
  esac
}
complete -F _${name} ${name}
`;
}

function zsh(name: string, places: readonly Place[], valued: readonly string[]): string {
  const entry = ({ word, about }: Place['words'][number]): string => quoted(`${word}:${about.replaceAll(':', '\\:')}`);
  const cases = places.map(
    ({ path, words, folder }) =>
      `    ${quoted(path)}) found=(${words.map(entry).join(' ')})${folder ? '; _files -/' : ''} ;;`,
  );
  return `#compdef ${name}
# ${name} for zsh. Now: source <(${name} completion zsh)
# For good: ${name} completion zsh > a folder of $fpath, as _${name}
_${name}() {
  local at='' word
  local -a found
  case "\${words[CURRENT - 1]}" in
    ${valued.join(' | ')}) return ;;
  esac
  for word in "\${(@)words[2, CURRENT - 1]}"; do
    case "$at $word" in
      ${steps(places).join(' | ')}) at="\${at:+$at }$word" ;;
    esac
  done
  case "$at" in
${cases.join('\n')}
  esac
  _describe ${quoted(name)} found
}
if [ "$funcstack[1]" = _${name} ]; then _${name} "$@"; else compdef _${name} ${name}; fi
`;
}

function fish(name: string, places: readonly Place[], valued: readonly string[]): string {
  const lines = places.flatMap(({ path, words, folder }) => {
    const here = `-n "contains -- ${quoted(path)} (__${name}_path)"`;
    const entries = words.map(
      ({ word, about }) => `complete -c ${name} ${here} -a ${quoted(word)} -d ${quoted(about)}`,
    );
    return folder ? [...entries, `complete -c ${name} ${here} -a '(__fish_complete_directories)'`] : entries;
  });
  return `# ${name} for fish. Now: ${name} completion fish | source
# For good: ${name} completion fish > ~/.config/fish/completions/${name}.fish
function __${name}_path
  set -l path ''
  set -l words (commandline -opc)
  # The value of an option comes next: nothing is known of it.
  contains -- "$words[-1]" ${valued.join(' ')}; and return
  for word in $words[2..-1]
    switch "$path $word"
      case ${steps(places).join(' ')}
        set path (string trim -- "$path $word")
    end
  end
  printf '%s\\n' "$path"
end
complete -c ${name} -f
${lines.join('\n')}
`;
}
