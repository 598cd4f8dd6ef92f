#!/bin/sh
# Build tools that the tests of installations run, once for each version, into POWERAUTH_TOOLS or ~/.cache/powerauth-tools.
#   tests/deploy/tools/build.sh helm kube-score compose-check etcd kube-apiserver gateway-api
# The last is no program: the kinds of the Gateway API, as a cluster is told them.
set -eu
cd "$(dirname "$0")"
target=${POWERAUTH_TOOLS:-$HOME/.cache/powerauth-tools}
mkdir -p "$target"

if ! command -v go >/dev/null 2>&1; then
    echo "Go was not found. The versions in tests/deploy/tools need the newest one." >&2
    exit 1
fi

# In the background of whatever else the machine does.
build() {
    if [ "$3" = kinds ]; then
        go -C "$1" mod download sigs.k8s.io/gateway-api
        from=$(go list -C "$1" -m -f '{{.Dir}}' sigs.k8s.io/gateway-api)
        rm -rf "${target:?}/$2"
        cp -r "$from/config/crd/standard" "$target/$2"
        chmod -R u+w "$target/$2"
        return
    fi
    # The API server tells its version, by which Helm judges it.
    version=$(sed -n 's/^\tk8s.io\/kubernetes \(v[0-9.]*\).*/\1/p' "$1/go.mod")
    GOFLAGS="-p=1 -buildvcs=false" nice -n 10 go build -C "$1" \
        -ldflags "-X k8s.io/component-base/version.gitVersion=${version:-v0.0.0}" -o "$target/$2" "$3"
}

for tool in "$@"; do
    case $tool in
        helm) module=cluster package=helm.sh/helm/v3/cmd/helm ;;
        etcd) module=cluster package=go.etcd.io/etcd/server/v3 ;;
        kube-apiserver) module=cluster package=k8s.io/kubernetes/cmd/kube-apiserver ;;
        kube-score) module=kube-score package=github.com/zegl/kube-score/cmd/kube-score ;;
        gateway-api) module=gateway-api package=kinds ;;
        compose-check) module=compose package=github.com/compose-spec/compose-go/v2/cmd ;;
        *) echo "there is no tool $tool" >&2; exit 2 ;;
    esac
    stamp=$(cat "$module/go.mod" "$module/go.sum" | cksum | tr ' ' -)
    if [ ! -x "$target/$tool" ] || [ "$(cat "$target/$tool.stamp" 2>/dev/null)" != "$stamp" ]; then
        echo "building $tool"
        build "$module" "$tool" "$package"
        printf '%s\n' "$stamp" >"$target/$tool.stamp"
    fi
done
