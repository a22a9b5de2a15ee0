# To be sourced: sets ENGINE to the container engine that answers, `docker` or `podman`, or to what it is set to.
# Where root runs podman without systemd, as in CI, podman needs settings of its own and a place for images;
# both go to artifacts/.containers.
#   . containers/engine.sh && $ENGINE run --rm localhost/assay
engine_folder() {
  (cd "$(dirname "${BASH_SOURCE[0]:-$0}")/.." && mkdir -p artifacts/.containers && cd artifacts/.containers && pwd)
}

if [ "$(id -u)" = 0 ] && [ ! -d /run/systemd/system ] && [ -z "${CONTAINERS_CONF:-}" ] && command -v podman >/dev/null; then
  CONTAINERS=$(engine_folder)
  cat > "$CONTAINERS/containers.conf" <<CONF
[engine]
$(command -v runc >/dev/null && echo 'runtime = "runc"')
cgroup_manager = "cgroupfs"
events_logger = "file"
[containers]
default_ulimits = ["nofile=$(ulimit -Hn):$(ulimit -Hn)", "nproc=4096:4096"]
CONF
  cat > "$CONTAINERS/storage.conf" <<CONF
[storage]
driver = "overlay"
graphroot = "$CONTAINERS/images"
runroot = "$CONTAINERS/run"
CONF
  echo 'unqualified-search-registries = []' > "$CONTAINERS/registries.conf"
  export CONTAINERS_CONF=$CONTAINERS/containers.conf CONTAINERS_STORAGE_CONF=$CONTAINERS/storage.conf
  export CONTAINERS_REGISTRIES_CONF=$CONTAINERS/registries.conf
fi

if [ -z "${ENGINE:-}" ]; then
  if docker info >/dev/null 2>&1; then ENGINE=docker
  elif podman info >/dev/null 2>&1; then ENGINE=podman
  else
    echo "No container engine answers: start Docker, or install podman and runc." >&2
    return 2 2>/dev/null || exit 2
  fi
fi
export ENGINE
