#!/usr/bin/env bash
# Python environments that some tests want and the lab does not: SRPO_ENVS names their folder, .cache/envs unless set.
#   bash test/scale/make_environments.sh [export] [ray]
set -euo pipefail
cd "$(dirname "$0")/../.."
envs="${SRPO_ENVS:-.cache/envs}"
make() {
  local name="$1"
  shift
  [ -e "$envs/$name/ready" ] && return 0
  python3 -m venv "$envs/$name"
  "$envs/$name/bin/pip" install --quiet "$@"
  touch "$envs/$name/ready"
}
for name in "${@:-export ray}"; do
  for one in $name; do
    case "$one" in
      export)
        make export pyarrow==26.0.1 datasets==5.2.0 pillow pyyaml aiohttp==3.14.5
        # Its client alone is wanted, not the gigabytes that it trains with.
        "$envs/export/bin/pip" install --quiet --no-deps openrlhf==0.11.2
        ;;
      ray) make ray "ray[default]==2.60.0" ;;
      *) echo "export or ray, not $one" >&2; exit 2 ;;
    esac
  done
done
