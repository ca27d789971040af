//! The first program of the image; see [`jumpgate::init`].

fn main() {
    jumpgate::init::run()
}
