# bash completion for mip6ctl
_mip6ctl() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} word
  COMPREPLY=()
  if [ "$previous" = --socket ] || [ "$previous" = --config ]; then
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
    return
  fi
  local options="--socket --json --help --version" commands="status events watch sequence trace doctor refresh network"
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $word in
      events) options="$options --follow" commands= ;;
      doctor) options="$options --config" commands= ;;
      status | watch | sequence | trace | refresh | network) commands= ;;
    esac
  done
  mapfile -t COMPREPLY < <(compgen -W "$commands $options" -- "$current")
}
complete -F _mip6ctl mip6ctl
