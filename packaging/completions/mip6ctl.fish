# fish completion for mip6ctl; made by: mip6ctl completion fish
complete -c mip6ctl -f
complete -c mip6ctl -l socket -r -F -d 'control socket'
complete -c mip6ctl -l json -d 'the same as JSON'
complete -c mip6ctl -l help -d 'a summary'
complete -c mip6ctl -l version -d 'the version'
complete -c mip6ctl -n __fish_use_subcommand -a status -d 'where the home address is registered, and what is wrong if it is not'
complete -c mip6ctl -n __fish_use_subcommand -a watch -d 'status, shown again at each change'
complete -c mip6ctl -n __fish_use_subcommand -a events -d 'what happened lately; --follow goes on with what happens'
complete -c mip6ctl -n '__fish_seen_subcommand_from events' -l follow
complete -c mip6ctl -n '__fish_seen_subcommand_from events' -l since -x
complete -c mip6ctl -n __fish_use_subcommand -a links -d 'the addresses that there are, which one is used, and why not the others'
complete -c mip6ctl -n __fish_use_subcommand -a keying -d 'how keys are agreed, and the SAs that there are'
complete -c mip6ctl -n __fish_use_subcommand -a sequence -d 'how many sequence numbers the keys have seen, and how long the rest lasts'
complete -c mip6ctl -n __fish_use_subcommand -a trace -d 'what the last moves took, step by step'
complete -c mip6ctl -n __fish_use_subcommand -a doctor -d 'what could be better, and what to do about it'
complete -c mip6ctl -n '__fish_seen_subcommand_from doctor' -l config -r -F
complete -c mip6ctl -n __fish_use_subcommand -a refresh -d 'register with the home agent again, now'
complete -c mip6ctl -n __fish_use_subcommand -a home -d 'de-register, and stay so until resume'
complete -c mip6ctl -n __fish_use_subcommand -a pause -d 'stay on the present link until resume'
complete -c mip6ctl -n __fish_use_subcommand -a resume -d 'go on after home or pause'
complete -c mip6ctl -n __fish_use_subcommand -a reload -d 'read the configuration again, while the registration goes on'
complete -c mip6ctl -n __fish_use_subcommand -a restart -d 'start mnd again, the registration going on, as after an upgrade'
complete -c mip6ctl -n __fish_use_subcommand -a config -d 'check the configuration, or show what is in effect'
complete -c mip6ctl -n '__fish_seen_subcommand_from config' -l config -r -F
complete -c mip6ctl -n '__fish_seen_subcommand_from config' -a 'check show'
complete -c mip6ctl -n __fish_use_subcommand -a report -d 'all of that and the machine'\''s versions, for a bug report'
complete -c mip6ctl -n '__fish_seen_subcommand_from report' -l config -r -F
complete -c mip6ctl -n __fish_use_subcommand -a network -d 'for hooks: what becomes of a link'
complete -c mip6ctl -n '__fish_seen_subcommand_from network' -a 'pre-down up down vpn-up connectivity-change'
complete -c mip6ctl -n __fish_use_subcommand -a completion -d 'a script for completion by a shell'
complete -c mip6ctl -n '__fish_seen_subcommand_from completion' -a 'bash zsh fish'
complete -c mip6ctl -n __fish_use_subcommand -a version -d 'of mip6ctl and of the mnd that runs'
complete -c mip6ctl -n __fish_use_subcommand -a help -d 'what --help says, of all or of a command'
