################################################################################
#
# jumpgate-programs
#
################################################################################

JUMPGATE_PROGRAMS_SITE = $(BR2_EXTERNAL_JUMPGATE_PATH)/..
JUMPGATE_PROGRAMS_SITE_METHOD = local
JUMPGATE_PROGRAMS_LICENSE = Apache-2.0
JUMPGATE_PROGRAMS_LICENSE_FILES = LICENSE
# Legal information would pack this whole folder, with all that runs have left in it.
JUMPGATE_PROGRAMS_REDISTRIBUTE = NO
# What cargo and runs leave, Buildroot's own output among it: this copy lands inside the latter.
# Neither does a change of what only the image is made with need the programs built anew.
JUMPGATE_PROGRAMS_OVERRIDE_SRCDIR_RSYNC_EXCLUSIONS = \
	--exclude /target --exclude /output --exclude /state --exclude node_modules \
	--exclude /buildroot --exclude /board --exclude /scripts --exclude /rootfs-overlay

# Buildroot vendors crates when it downloads a tarball. A local tree is copied, not downloaded, so
# scripts/image-buildroot.sh has put them into a folder before: the build itself has no network.
define JUMPGATE_PROGRAMS_USE_CRATES
	test -n "$(JUMPGATE_CRATES)" || { echo "jumpgate-programs: build it by scripts/build-image"; exit 1; }
	mkdir -p $(@D)/.cargo
	printf '%s\n' '[source.crates-io]' 'replace-with = "vendored"' \
		'[source.vendored]' 'directory = "$(JUMPGATE_CRATES)"' >$(@D)/.cargo/config.toml
endef
JUMPGATE_PROGRAMS_PRE_BUILD_HOOKS += JUMPGATE_PROGRAMS_USE_CRATES

# Not where it was built, but what: the same sources give the same bytes in any folder.
JUMPGATE_PROGRAMS_RUSTFLAGS = \
	--remap-path-prefix=$(@D)=/jumpgate \
	--remap-path-prefix=$(JUMPGATE_CRATES)=/crates \
	--remap-path-prefix=$(HOST_DIR)=/host
JUMPGATE_PROGRAMS_CARGO_ENV = \
	CARGO_TARGET_DIR=$(@D)/target \
	CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS="$(JUMPGATE_PROGRAMS_RUSTFLAGS)"

# Cargo, like cargo-package calls it.
JUMPGATE_PROGRAMS_CARGO = \
	cd $(@D) && $(TARGET_MAKE_ENV) $(TARGET_CONFIGURE_OPTS) $(PKG_CARGO_ENV) $(JUMPGATE_PROGRAMS_CARGO_ENV) \
	cargo rustc --offline --locked --release --manifest-path Cargo.toml --no-default-features

JUMPGATE_PROGRAMS_CARGO_BUILD_OPTS = --bin supervisor --bin relay --bin web --bin appliancectl \
	--bin update-agent

# These two run where nothing of ours is: on a customer's machine, and before the root is open.
define JUMPGATE_PROGRAMS_BUILD_STATIC
	$(JUMPGATE_PROGRAMS_CARGO) --features agent --bin endpoint -- -C target-feature=+crt-static
	$(JUMPGATE_PROGRAMS_CARGO) --features firmware --bin init -- -C target-feature=+crt-static
endef
JUMPGATE_PROGRAMS_POST_BUILD_HOOKS += JUMPGATE_PROGRAMS_BUILD_STATIC

# board/common/post-build.sh takes `init` out again, for the initramfs.
define JUMPGATE_PROGRAMS_INSTALL_TARGET_CMDS
	$(foreach name,supervisor relay web appliancectl update-agent,\
		$(INSTALL) -D -m 0755 $(@D)/target/$(RUSTC_TARGET_NAME)/release/$(name) \
			$(TARGET_DIR)/usr/lib/jumpgate/programs/$(name)$(sep))
	$(INSTALL) -D -m 0755 $(@D)/target/$(RUSTC_TARGET_NAME)/release/endpoint \
		$(TARGET_DIR)/usr/lib/jumpgate/endpoint/endpoint
	$(INSTALL) -D -m 0755 $(@D)/target/$(RUSTC_TARGET_NAME)/release/init \
		$(TARGET_DIR)/usr/lib/jumpgate/init
endef

$(eval $(cargo-package))
