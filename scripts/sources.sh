# shellcheck shell=bash
# What buildroot/sources lists: Debian's source packages through apt and its signatures, and files.
# To source after lib.sh, from the top folder; needs sources, the folder that they go to.
# shellcheck disable=SC2154 # That.

# The release that buildroot/sources was chosen from.
sources_suite=trixie

# apt with lists of its own: this machine's settings, and what it offers, stay as they are.
sources_apt() {
  local tool=$1
  shift
  "$tool" -o "Dir::Etc::SourceList=$sources/apt/sources.list" -o Dir::Etc::SourceParts=/dev/null \
    -o "Dir::State::Lists=$sources/apt/lists" -o "Dir::Cache=$sources/apt/cache" \
    -o APT::Sandbox::User=root "$@"
}

# Fetches the lists of that release, and of this machine's for what the toolchain is made of, from
# the mirrors that this machine uses.
sources_lists() {
  mkdir --parents "$sources"/apt/{lists,cache}/partial
  # shellcheck disable=SC2016 # The words are apt's.
  apt-get indextargets --format '$(SITE) $(ORIGIN) $(CODENAME)' 'Created-By: Packages' |
    awk -v suite="$sources_suite" '$2 == "Debian" && $3 !~ /-(updates|backports)$/ {
      print "deb-src", $1, suite ($3 ~ /-security$/ ? "-security" : ""), "main"
      print "deb-src", $1, $3, "main" }' |
    sort --unique >"$sources/apt/sources.list"
  [[ -s $sources/apt/sources.list ]] || die "apt knows no Debian mirror; is this Debian?"
  sources_apt apt-get --quiet=2 update
}

# Downloads what is listed and not yet there, and puts it where Buildroot looks.
sources_fetch() {
  local package asked source file hash
  while read -r package _ asked source file hash; do
    [[ $package == [a-z]* ]] || continue
    if [[ ! -e $sources/download/$file ]]; then
      mkdir --parents "$sources/download/partial"
      case $source in
        https://*) source_from_site "$source" "$file" ;;
        *) source_from_debian "$source" "$file" "$hash" ;;
      esac
      mv "$sources/download/partial/$file" "$sources/download/$file"
    fi
    sha256sum --check --status <<<"$hash  $sources/download/$file" ||
      die "$sources/download/$file is not what buildroot/sources lists"
    mkdir --parents "$sources/primary/$package"
    ln --force "$sources/download/$file" "$sources/primary/$package/${asked/#-/$file}"
  done <buildroot/sources
}

# source_from_site SITE FILE
source_from_site() {
  packages curl ca-certificates
  curl --fail --silent --show-error --location --retry 3 \
    --output "$sources/download/partial/$2" "$1/$2" || die "cannot fetch $1/$2"
}

# source_from_debian SOURCE FILE HASH
source_from_debian() {
  local version
  # Those that have this file, the newest first. Not every archive keeps the files that others have.
  for version in $(sources_apt apt-cache showsrc --only-source "$1" 2>/dev/null |
    awk -v hash="$3" '/^Version:/ { version = $2 } $1 == hash { print version }' |
    sort --version-sort --reverse --unique); do
    (cd "$sources/download/partial" && sources_apt apt-get --quiet=2 source --download-only \
      --tar-only --only-source "$1=$version") && return
  done
  die "Debian no longer has $2 of $1: list the version that it has now in buildroot/sources," \
    "or use a folder that was fetched earlier"
}
