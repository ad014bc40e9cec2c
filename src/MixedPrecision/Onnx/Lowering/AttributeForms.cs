using MixedPrecision.Diagnostics;

namespace MixedPrecision.Onnx.Lowering;

/// <summary>Attributes that became inputs or other attributes. A node which already has the new form passes unchanged.</summary>
internal static class AttributeForms
{
    /// <summary>Squeeze, Unsqueeze and ReduceSum below 13, other reductions below 18.</summary>
    public static void Axes(LoweringContext c)
    {
        if (c.Node.Ints("axes") is { } axes)
        {
            c.Change([c.X, c.B.Integers(axes)], "axes");
        }
        else
        {
            c.Keep();
        }
    }

    public static void Reshape(LoweringContext c)
    {
        if (c.Node.Ints("shape") is { } shape)
        {
            c.Change([c.X, c.B.Integers(shape)], "shape", "consumed_inputs");
        }
        else
        {
            c.Keep();
        }
    }

    /// <summary>Below 4 the axis was 1 unless given.</summary>
    public static void Concat(LoweringContext c)
    {
        if (c.Node.Attribute("axis") is null)
        {
            c.Set(Attributes.Of("axis", 1));
        }

        c.Keep();
    }

    /// <summary>Below 6 the type was a word.</summary>
    public static void Cast(LoweringContext c)
    {
        if (c.Node.Attribute("to") is { Type: 3 } to)
        {
            string name = to.S.ToStringUtf8();
            int type = Enumerable.Range(1, ElementType.BFloat16).FirstOrDefault(t => ElementType.Name(t).Equals(name, StringComparison.OrdinalIgnoreCase));
            c.Set(Attributes.Of("to", type > 0 ? type : throw Errors.GraphInvalid(c.Node.DisplayName(), $"it casts to '{name}', which is no element type")));
        }

        c.Keep();
    }

    public static void Clip(LoweringContext c)
    {
        if (c.Version >= 11)
        {
            c.Keep();
            return;
        }

        string Bound(string name) => c.Node.Attribute(name) is { } attribute ? c.Scalar(attribute.F) : "";
        c.Change([c.X, Bound("min"), Bound("max")], "min", "max", "consumed_inputs");
    }

    /// <summary>Below 12 it was for inference only, and passed its input on.</summary>
    public static void Dropout(LoweringContext c)
    {
        if (c.Version >= 12)
        {
            c.Keep();
            return;
        }

        c.ReturnNode("Identity", [c.X]);
        if (c.HasOutput(1))
        {
            // The mask of a dropout that drops nothing; its type was the data's below 10.
            string mask = c.B.Node("ConstantOfShape", [c.B.Shape(c.X)], Attributes.Of("value", Tensor.Of<bool>([true], 1).ToProto("")));
            c.Return(c.Version < 10 ? c.B.Cast(mask, c.ElementType) : mask, 1);
        }
    }

    /// <summary>Below 14 one output meant inference; further outputs are of no use there.</summary>
    public static void BatchNormalization(LoweringContext c)
    {
        if (c.Version < 14)
        {
            string output = c.Node.Output[0];
            c.Node.Output.Clear();
            c.Node.Output.Add(output);
        }

        c.Change([.. c.Node.Input], "spatial", "is_test", "consumed_inputs");
    }

    public static void Gemm(LoweringContext c) => c.Change([.. c.Node.Input], "broadcast");

    public static void Pad(LoweringContext c)
    {
        if ((c.Node.Ints("pads") ?? c.Node.Ints("paddings")) is { } pads)
        {
            c.Change([c.X, c.B.Integers(pads), c.Scalar(c.Node.Float("value", 0))], "pads", "paddings", "value");
        }
        else
        {
            c.Keep();
        }
    }

    public static void Slice(LoweringContext c)
    {
        if (c.Node.Ints("starts") is not { } starts)
        {
            c.Keep();
            return;
        }

        string axes = c.B.Integers(c.Node.Ints("axes") ?? [.. Enumerable.Range(0, starts.Length).Select(a => (long)a)]);
        c.Change([c.X, c.B.Integers(starts), c.B.Integers(c.Node.Ints("ends")!), axes], "starts", "ends", "axes");
    }

    /// <summary>Sizes were an attribute below 13; without sizes, 18 wants the number of parts.</summary>
    public static void Split(LoweringContext c)
    {
        if (c.Node.Ints("split") is { } sizes)
        {
            c.Change([c.X, c.B.Integers(sizes)], "split");
            return;
        }

        if (!c.HasInput(1) && c.Node.Attribute("num_outputs") is null)
        {
            c.Set(Attributes.Of("num_outputs", c.Node.Output.Count));
        }

        c.Change([c.X, .. c.HasInput(1) ? [c.Input(1)] : Array.Empty<string>()]);
    }

    public static void TopK(LoweringContext c)
    {
        if (c.Node.Attribute("k") is { } k)
        {
            c.Change([c.X, c.B.Integers(k.I)], "k");
        }
        else
        {
            c.Keep();
        }
    }

    /// <summary>Version 1 had a float exponent.</summary>
    public static void LpPool(LoweringContext c)
    {
        if (c.Node.Attribute("p") is { Type: 1 } exponent)
        {
            c.Set(Attributes.Of("p", (long)exponent.F));
        }

        c.Keep();
    }

    /// <summary>20 renamed the modes.</summary>
    public static void GridSample(LoweringContext c)
    {
        string mode = c.Node.Text("mode", "linear");
        c.Set(Attributes.Of("mode", mode switch { "bilinear" => "linear", "bicubic" => "cubic", _ => mode }));
        c.Keep();
    }

    /// <summary>Below 16 there was no half-pixel shift.</summary>
    public static void RoiAlign(LoweringContext c)
    {
        if (c.Version < 16)
        {
            c.Set(Attributes.Of("coordinate_transformation_mode", "output_half_pixel"));
        }

        c.Keep();
    }
}
