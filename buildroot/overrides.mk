# What differs from Buildroot's own packages. Read before them (BR2_PACKAGE_OVERRIDE_FILE);
# `override` outlives their assignments.

# Our Rust is newer than the 1.88 of this Buildroot: the version that Cargo.toml asks for.
override RUST_BIN_VERSION = 1.95.0
# Large, and only its standard library ends in the image (licences: Apache-2.0 or MIT).
override RUST_BIN_REDISTRIBUTE = NO
override HOST_RUST_BIN_REDISTRIBUTE = NO

# Everything that the fragments do not name is off. Without this, Kconfig fills in its own defaults.
override LINUX_KCONFIG_DEFCONFIG = \
	KCONFIG_ALLCONFIG=$(BR2_EXTERNAL_JUMPGATE_PATH)/../board/common/linux.fragment allnoconfig
# The same for BusyBox, whose older Kconfig only takes a fragment afterwards.
override BUSYBOX_KCONFIG_SUPPORTS_DEFCONFIG = YES
override BUSYBOX_KCONFIG_FILE =
override BUSYBOX_KCONFIG_DEFCONFIG = allnoconfig
# Buildroot makes it set-user-id for applets that we do not have.
override BUSYBOX_PERMISSIONS =

ifneq ($(JUMPGATE_SOURCES),)

# Sources that scripts/fetch-sources took from Debian, in another version or packing than Buildroot's:
# told by version and file, and compared with our hash. Buildroot's patches are for its own version.
define JUMPGATE_FROM_DEBIAN
override $(1)_VERSION = $(2)
override $(1)_SOURCE = $(3)
$(if $(filter LINUX,$(1)),,
override $(1)_PKGDIR = $(JUMPGATE_HASHES)/$(4)
override HOST_$(1)_PKGDIR = $(JUMPGATE_HASHES)/$(4))
endef
$(foreach row,$(shell awk '/^[a-z]/ && $$3 == "-" { print $$1 "," $$2 "," $$5 }' \
	$(BR2_EXTERNAL_JUMPGATE_PATH)/sources),\
	$(eval jumpgate_row = $(subst $(comma),$(space),$(row))) \
	$(eval $(call JUMPGATE_FROM_DEBIAN,$(call UPPERCASE,$(word 1,$(jumpgate_row))),\
		$(word 2,$(jumpgate_row)),$(word 3,$(jumpgate_row)),$(word 1,$(jumpgate_row)))))
# Only Buildroot's patches make these ask for autoconf and its kin.
override UTIL_LINUX_AUTORECONF = NO
override E2FSPROGS_AUTORECONF = NO
override E2FSPROGS_DEPENDENCIES = host-pkgconf util-linux

# Tools of the building machine: only used while building, and Debian's sources of them need more
# tools to be built. $(1): package, $(2): its programs.
define JUMPGATE_OF_THIS_MACHINE
override $(1)_VERSION = of-this-machine
$(1)_OVERRIDE_SRCDIR = $(BR2_EXTERNAL_JUMPGATE_PATH)/configs
override HOST_$(1)_DEPENDENCIES =
override HOST_$(1)_REDISTRIBUTE = NO
override HOST_$(1)_LICENSE_FILES =
override HOST_$(1)_AUTORECONF = NO
override HOST_$(1)_CONFIGURE_CMDS = :
override HOST_$(1)_BUILD_CMDS = :
override HOST_$(1)_INSTALL_CMDS = mkdir -p $$(HOST_DIR)/bin && \
	$(foreach program,$(2),ln -sf $(shell command -v $(program);) $$(HOST_DIR)/bin/ &&) :
endef
$(eval $(call JUMPGATE_OF_THIS_MACHINE,M4,m4))
$(eval $(call JUMPGATE_OF_THIS_MACHINE,BISON,bison))
$(eval $(call JUMPGATE_OF_THIS_MACHINE,FLEX,flex))
$(eval $(call JUMPGATE_OF_THIS_MACHINE,GAWK,gawk))
$(eval $(call JUMPGATE_OF_THIS_MACHINE,KMOD,kmod))
$(eval $(call JUMPGATE_OF_THIS_MACHINE,PATCHELF,patchelf))
$(eval $(call JUMPGATE_OF_THIS_MACHINE,PKGCONF,pkgconf))
$(eval $(call JUMPGATE_OF_THIS_MACHINE,FAKEROOT,fakeroot))

endif
