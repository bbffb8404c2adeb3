#include "weights/pickle_globals.h"

namespace fovea::weights {
namespace {

constexpr ElementType kFloat{"float32", DType::f32, 4}, kDouble{"float64", DType::f64, 8}, kHalf{"float16", DType::f16, 2},
    kBFloat16{"bfloat16", DType::bf16, 2}, kLong{"int64", DType::i64, 8}, kInt{"int32", DType::i32, 4}, kByte{"uint8", DType::u8, 1},
    kBool{"bool", DType::u8, 1}, kShort{"int16", std::nullopt, 2}, kChar{"int8", std::nullopt, 1},
    kUnsignedShort{"uint16", std::nullopt, 2}, kUnsignedInt{"uint32", std::nullopt, 4}, kUnsignedLong{"uint64", std::nullopt, 8},
    kComplexHalf{"complex32", std::nullopt, 4}, kComplexFloat{"complex64", std::nullopt, 8}, kComplexDouble{"complex128", std::nullopt, 16},
    kQuantized8{"qint8", std::nullopt, 1}, kQuantizedUnsigned8{"quint8", std::nullopt, 1}, kQuantized32{"qint32", std::nullopt, 4},
    kFloat8E4M3{"float8_e4m3fn", DType::f32, 1, Float8::e4m3fn}, kFloat8E4M3FNUZ{"float8_e4m3fnuz", DType::f32, 1, Float8::e4m3fnuz},
    kFloat8E5M2{"float8_e5m2", DType::f32, 1, Float8::e5m2}, kFloat8E5M2FNUZ{"float8_e5m2fnuz", DType::f32, 1, Float8::e5m2fnuz};

constexpr auto kElement = PickleFunction::element_type;

constexpr PickleGlobal kGlobals[] = {
    {"collections", "OrderedDict", PickleFunction::dict},
    {"collections", "Counter", PickleFunction::dict},
    {"torch._utils", "_rebuild_tensor", PickleFunction::tensor},
    {"torch._utils", "_rebuild_tensor_v2", PickleFunction::tensor},
    {"torch._utils", "_rebuild_tensor_v3", PickleFunction::tensor_typed},
    {"torch._tensor", "_rebuild_from_type_v2", PickleFunction::rebuild_from_type},
    {"torch._utils", "_rebuild_parameter", PickleFunction::parameter},
    {"torch._utils", "_rebuild_parameter_with_state", PickleFunction::parameter},
    {"torch", "Size", PickleFunction::size},
    {"torch", "device", PickleFunction::value},
    {"_codecs", "encode", PickleFunction::value},  // how protocol 2 writes bytes
    {"builtins", "set", PickleFunction::set},
    {"builtins", "frozenset", PickleFunction::set},
    {"__builtin__", "set", PickleFunction::set},
    {"torch", "UntypedStorage", PickleFunction::untyped_storage},
    {"torch.storage", "UntypedStorage", PickleFunction::untyped_storage},
    {"torch", "FloatStorage", kElement, &kFloat},
    {"torch", "DoubleStorage", kElement, &kDouble},
    {"torch", "HalfStorage", kElement, &kHalf},
    {"torch", "BFloat16Storage", kElement, &kBFloat16},
    {"torch", "LongStorage", kElement, &kLong},
    {"torch", "IntStorage", kElement, &kInt},
    {"torch", "ByteStorage", kElement, &kByte},
    {"torch", "BoolStorage", kElement, &kBool},
    {"torch", "ShortStorage", kElement, &kShort},
    {"torch", "CharStorage", kElement, &kChar},
    {"torch", "QInt8Storage", kElement, &kQuantized8},
    {"torch", "QUInt8Storage", kElement, &kQuantizedUnsigned8},
    {"torch", "QInt32Storage", kElement, &kQuantized32},
    {"torch", "ComplexFloatStorage", kElement, &kComplexFloat},
    {"torch", "ComplexDoubleStorage", kElement, &kComplexDouble},
    {"torch", "float32", kElement, &kFloat},
    {"torch", "float64", kElement, &kDouble},
    {"torch", "float16", kElement, &kHalf},
    {"torch", "bfloat16", kElement, &kBFloat16},
    {"torch", "int64", kElement, &kLong},
    {"torch", "int32", kElement, &kInt},
    {"torch", "uint8", kElement, &kByte},
    {"torch", "bool", kElement, &kBool},
    {"torch", "int16", kElement, &kShort},
    {"torch", "int8", kElement, &kChar},
    {"torch", "uint16", kElement, &kUnsignedShort},
    {"torch", "uint32", kElement, &kUnsignedInt},
    {"torch", "uint64", kElement, &kUnsignedLong},
    {"torch", "float8_e4m3fn", kElement, &kFloat8E4M3},
    {"torch", "float8_e4m3fnuz", kElement, &kFloat8E4M3FNUZ},
    {"torch", "float8_e5m2", kElement, &kFloat8E5M2},
    {"torch", "float8_e5m2fnuz", kElement, &kFloat8E5M2FNUZ},
    {"torch", "complex32", kElement, &kComplexHalf},
    {"torch", "complex64", kElement, &kComplexFloat},
    {"torch", "complex128", kElement, &kComplexDouble},
};

}  // namespace

const ElementType kUntypedBytes{"uint8", DType::u8, 1};

const PickleGlobal* find_pickle_global(std::string_view module, std::string_view name) {
  // Tensors saved from a GPU by old versions.
  if (module == "torch.cuda" && name.ends_with("Storage")) module = "torch";
  for (const PickleGlobal& global : kGlobals) {
    if (global.module == module && global.name == name) return &global;
  }
  return nullptr;
}

}  // namespace fovea::weights
