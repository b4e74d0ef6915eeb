#!/usr/bin/env bash
# Python environments that some tests want and the lab does not, in .cache/peers unless the first folder of SRPO_TEST_PEERS
# is another one. verl and trl hold PyTorch, 6 GB each.
#   bash test/scale/make_environments.sh [export] [ray] [verl] [trl]
set -euo pipefail
cd "$(dirname "$0")/../.."
envs="${SRPO_TEST_PEERS:-.cache/peers}"
envs="${envs%%:*}"
make() {
  local name="$1"
  shift
  [ -e "$envs/$name/ready" ] && return 0
  python3 -m venv "$envs/$name"
  "$envs/$name/bin/pip" install --quiet "$@"
  touch "$envs/$name/ready"
}
for name in "${@:-export ray verl trl}"; do
  for one in $name; do
    case "$one" in
      export)
        make export pyarrow==26.0.1 datasets==5.2.0 pillow pyyaml aiohttp==3.14.5
        # Its client alone is wanted, not the gigabytes that it trains with.
        "$envs/export/bin/pip" install --quiet --no-deps openrlhf==0.11.2
        ;;
      ray) make ray "ray[default]==2.60.0" ;;
      trl) make trl trl==1.16.0 torch==2.15.0 torchvision==0.29.2 pillow ;;
      verl)
        make verl "ray[default]==2.60.0" torch==2.15.0 torchvision==0.29.2 "transformers==5.10.4" tensordict==0.10.0 \
          datasets==5.2.0 hydra-core codetiming dill torchdata accelerate pylatexenc pillow qwen-vl-utils orjson "virtualenv<21"
        # Without what it logs to and what it runs on GPUs.
        "$envs/verl/bin/pip" install --quiet --no-deps verl==0.9.1
        ;;
      *) echo "export, ray, verl or trl, not $one" >&2; exit 2 ;;
    esac
  done
done
