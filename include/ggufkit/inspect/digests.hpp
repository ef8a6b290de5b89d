// Digests of tensors: the same for a tensor in any file, of any byte order, on any machine.
//
//     const auto model = ggufkit::Model::open("m.gguf");
//     const auto digests = ggufkit::digests(*model, model->tensors());   // on all processors
//     if (!digests) return complain(digests.error());
//     fmt::print("{}  {}\n", digests->front().hex(), model->tensors()[0].info->name);
//
// Ownership: a Digest is a plain value.
// Thread-safety: one call runs its own threads over an immutable model; the callback is called from one of them at a
//   time and must not throw.
#pragma once

#include <span>
#include <vector>

#include <ggufkit/digest.hpp>
#include <ggufkit/error.hpp>
#include <ggufkit/model.hpp>
#include <ggufkit/work.hpp>

namespace ggufkit {

// Errors: as from Model::data().
Result<Digest> digest(const Model& model, const ModelTensor& tensor);

// Of some tensors of a model, in their order. The file is read, not looked at through its mapping, in a quarter
// of a megabyte of memory for each thread. Errors: as from Model::data(); IO_READ; IO_CHANGED where a file changed meanwhile; CANCELLED.
Result<std::vector<Digest>> digests(const Model& model, std::span<const ModelTensor> tensors, const Work& work = {});

}  // namespace ggufkit
