using MixedPrecision.Diagnostics;
using MixedPrecision.Losses;
using MixedPrecision.Onnx;
using MixedPrecision.Policies;
using MixedPrecision.Tests.Autodiff;
using static MixedPrecision.Tests.Losses.LossGradientTests;
using static MixedPrecision.Tests.Losses.LossModels;

namespace MixedPrecision.Tests.Losses;

/// <summary>Which loss is taken, and what is refused.</summary>
public class LossChoiceTests
{
    private static readonly CalibrationPolicy Nothing = new(null, null, null, 1, null);
    private static readonly Dictionary<string, string[]> Rows = new() { ["y"] = ["batch", "5"] };

    [Theory]
    [InlineData("docarea", "label", null, "cross-entropy", "'label'")]
    [InlineData("docarea", null, "label", "cross-entropy", "the data holds 'label'")]
    [InlineData("docarea", null, null, "output-mse", "neither labels nor tokens")]
    [InlineData("doclm", null, null, "next-token", "256 tokens")]
    public void TheLossOfARealModelIsGuessed(string name, string? labels, string? key, string expected, string reason)
    {
        using OnnxModel model = OnnxModel.Load(SharedFolder.Model(name));
        using LossFunction loss = Loss(model, Nothing with { Labels = labels }, key is null ? [] : [key]);
        Assert.Equal(expected, loss.Name);
        Assert.Contains($"taken is {expected}", loss.Notes[0]);
        Assert.Contains(reason, loss.Notes[0]);
    }

    [Fact]
    public void AScalarOutputCalledLossIsGuessed()
    {
        using OnnxModel model = Of(new Dictionary<string, string[]> { ["logits"] = ["batch", "3"], ["total_loss"] = [] });
        using LossFunction loss = Loss(model, Nothing);
        Assert.Equal(("scalar-output", "total_loss"), (loss.Name, Assert.Single(loss.Outputs)));
        Check(loss, Sample(), ("total_loss", Tensor.Scalar(0.4f)));
    }

    [Theory]
    [InlineData(LossKind.CrossEntropy, "logits")]
    [InlineData(LossKind.OutputMse, "hidden")]
    public void ScoresAreReadFromAnOutputCalledLogits(LossKind kind, string expected)
    {
        using OnnxModel model = Of(new Dictionary<string, string[]> { ["hidden"] = ["batch", "8"], ["logits"] = ["batch", "3"] });
        using LossFunction loss = Loss(model, Nothing with { Loss = kind });
        Assert.Equal(expected, Assert.Single(loss.Outputs));
    }

    [Fact]
    public void AScalarOutputHasOneElement()
    {
        using OnnxModel model = Of(Rows);
        Assert.Equal(Codes.LossOutputUnusable, Assert.Throws<MixedPrecisionException>(() => Loss(model, Nothing with { Loss = LossKind.ScalarOutput })).Diagnostic.Code);
        using OnnxModel open = Of(new Dictionary<string, string[]> { ["y"] = ["batch"] });
        using LossFunction loss = Loss(open, Nothing with { Loss = LossKind.ScalarOutput });
        Dictionary<string, Tensor> outputs = Outputs(("y", Random(1, 2)));
        Refused(() => loss.TargetOf(Sample(), 0, outputs), "[2]");
    }

    [Theory]
    [InlineData(new long[] { 5, 0 }, "label 5", "0 to 4")]
    [InlineData(new long[] { 1 }, "1 labels", "2, one for each row")]
    [InlineData(new long[] { -100, -1 }, "no label that counts", "at least one")]
    public void LabelsThatDoNotFitNameTheSample(long[] labels, string found, string expected)
    {
        using OnnxModel model = Of(Rows);
        using LossFunction loss = Loss(model, Nothing with { Loss = LossKind.CrossEntropy, Labels = "label" });
        Refused(() => loss.TargetOf(Sample(Label(labels)), 0, Outputs(("y", Random(1, 2, 5)))), found, expected);
    }

    [Fact]
    public void IndependentLabelsAreZeroOrOne()
    {
        using OnnxModel model = Of(Rows, (b, x) => b.Node("Cast", [b.Node("Sigmoid", [x])], Attributes.Of("to", ElementType.Float)));
        using LossFunction loss = Loss(model, Nothing with { Loss = LossKind.CrossEntropy, Labels = "label" });
        Assert.Contains("Sigmoid", Assert.Single(loss.Notes));
        Refused(() => loss.TargetOf(Sample(Tensor.Of<long>([0, 1, 2, 0, 0], 1, 5)), 0, Outputs(("y", Random(1, 1, 5)))), "label 2", "0 to 1");
        Refused(() => loss.TargetOf(Sample(Label(3)), 0, Outputs(("y", Random(1, 1, 5)))), "1 labels", "5 labels of 0 or 1");
    }

    [Fact]
    public void AMaskThatIsNamedHasToFit()
    {
        using OnnxModel model = Of(new Dictionary<string, string[]> { ["y"] = ["batch", "sequence", "5"] });
        using LossFunction loss = Loss(model, Nothing with { Loss = LossKind.CrossEntropy, Mask = "keep" });
        Refused(() => loss.TargetOf(Sample(null, null, ("keep", Label(1, 1))), 0, Outputs(("y", Random(1, 1, 3, 5)))), "mask 'keep' of [2]", "[1, 3]");
    }

    [Fact]
    public void WithoutLabelsTheModelsOwnLikeliestClassesCount()
    {
        using OnnxModel model = Of(new Dictionary<string, string[]> { ["y"] = ["batch", "sequence", "3"] }, null, ("attention_mask", ElementType.Int64, 2));
        using LossFunction loss = Loss(model, Nothing with { Loss = LossKind.CrossEntropy });
        Tensor y = Tensor.Of<float>([0, 2, 1, 5, 0, 0, 0, 0, 9], 1, 3, 3);
        var inputs = new Dictionary<string, Tensor> { ["attention_mask"] = Tensor.Of<long>([1, 1, 0], 1, 3) };
        (_, double value) = Check(loss, Sample(null, inputs), ("y", y));
        double[][] p = [.. y.Values<float>().ToArray().Chunk(3).Select(r => Softmax(r).ToArray())];
        Assert.Equal(-(Math.Log(p[0][1]) + Math.Log(p[1][0])) / 2, value, 5);
        LossComparison compared = loss.Compare(Outputs(("y", y)), Outputs(("y", y)), loss.TargetOf(Sample(null, inputs), 0, Outputs(("y", y))));
        Assert.Equal((0, 0), (compared.Labels, compared.SquareChange));

        // Answers differ in two rows, of which one is masked.
        Tensor other = Tensor.Of<float>([0, 2, 1, 0, 5, 0, 9, 0, 0], 1, 3, 3);
        compared = loss.Compare(Outputs(("y", y)), Outputs(("y", other)), loss.TargetOf(Sample(null, inputs), 0, Outputs(("y", y))));
        Assert.Equal((2, 1), (compared.Answers, compared.EqualAnswers));
        Assert.Equal(value, compared.Loss, 9);
    }

    [Fact]
    public void HitsAreCountedAmongTheLabelsThatCount()
    {
        using OnnxModel model = Of(Rows);
        using LossFunction loss = Loss(model, Nothing with { Loss = LossKind.CrossEntropy, Labels = "label" });
        Tensor y = Tensor.Of<float>([0, 9, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 9, 0, 0], 3, 5), mixed = Tensor.Of<float>([0, 9, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 9, 0, 0], 3, 5);
        LossComparison compared = loss.Compare(Outputs(("y", y)), Outputs(("y", mixed)), loss.TargetOf(Sample(Label(1, 0, -1)), 0, Outputs(("y", y))));
        Assert.Equal((2, 2, 1), (compared.Labels, compared.OriginalHits, compared.MixedHits));
        Assert.Equal((2, 1), (compared.Answers, compared.EqualAnswers));
        Assert.True(compared.Change > 0 && Math.Abs(compared.SquareChange - (compared.Change * compared.Change)) < 1e-9);
    }

    [Fact]
    public void LabelsBesideAnotherLossTellAccuracyAndNothingElse()
    {
        using OnnxModel model = Of(Rows);
        using LossFunction loss = Loss(model, Nothing with { Loss = LossKind.OutputMse, Labels = "label" }), plain = Loss(model, Nothing with { Loss = LossKind.OutputMse });
        Tensor y = Tensor.Of<float>([0, 9, 0, 0, 0, 9, 0, 0, 0, 0], 2, 5), mixed = Tensor.Of<float>([0, 9, 0, 0, 0, 0, 0, 0, 9, 0], 2, 5);
        LossComparison Compare(LossFunction l, Tensor label) => l.Compare(Outputs(("y", y)), Outputs(("y", mixed)), l.TargetOf(Sample(label), 0, Outputs(("y", y))));
        LossComparison compared = Compare(loss, Label(1, 0));
        Assert.True(loss.HasLabels && !plain.HasLabels);
        Assert.Equal((2, 2, 1), (compared.Labels, compared.OriginalHits, compared.MixedHits));
        Assert.Equal(Compare(plain, Label(1, 0)) with { Labels = 2, OriginalHits = 2, MixedHits = 1, Answers = 2, EqualAnswers = 1 }, compared);
        Assert.True(loss.HasAnswers && !plain.HasAnswers);
        Assert.Null(compared.LabelMisfit);
        // What does not fit the output tells none; for this loss that is no error, but it is said.
        LossComparison misfit = Compare(loss, Label(1, 0, 3));
        Assert.Equal(0, misfit.Labels);
        Assert.Contains("3 labels", misfit.LabelMisfit!.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void WithoutAFloatingOutputTheScoresInsideAreOffered()
    {
        using OnnxModel model = TestModels.Of(["x"], ["pred", "again"], b =>
        {
            string scores = b.Node("Softmax", [b.Node("MatMul", ["x", "x"])]);
            b.Nodes[^1].Output[0] = scores = "scores";
            b.NodeTo(["pred"], "ArgMax", "", [scores]);
            b.NodeTo(["again"], "Cast", "", [b.Node("Add", ["pred", "pred"])], Attributes.Of("to", ElementType.Int32));
        });
        Diagnostic error = Assert.Throws<MixedPrecisionException>(() => Loss(model, Nothing)).Diagnostic;
        Assert.Equal(Codes.LossOutputUnusable, error.Code);
        Assert.Contains("'pred' (int64", error.Message, StringComparison.Ordinal);
        Assert.Contains("'again' (int32", error.Message, StringComparison.Ordinal);
        Assert.Contains("that ArgMax makes them from as a further output: 'scores' (float", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("Name an output", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("pred", "the output 'pred' is not of floating type")]
    [InlineData("scores", "'scores' is a value inside of the model, and no output of it")]
    [InlineData("logit", "'logit' is no output of the model; did you mean 'logits'?")]
    public void AnOutputThatIsNamedAndCannotBeReadLeadsToThoseThatCan(string output, string problem)
    {
        using OnnxModel model = TestModels.Of(["x"], ["pred", "logits"], b =>
        {
            b.NodeTo(["scores"], "Relu", "", ["x"]);
            b.NodeTo(["logits"], "Neg", "", ["scores"]);
            b.NodeTo(["pred"], "ArgMax", "", ["scores"]);
        });
        Diagnostic error = Assert.Throws<MixedPrecisionException>(() => Loss(model, Nothing with { Loss = LossKind.OutputMse, Output = output })).Diagnostic;
        Assert.Equal(Codes.LossOutputUnusable, error.Code);
        Assert.Contains(problem, error.Message, StringComparison.Ordinal);
        Assert.Contains("Name an output of floating type: 'logits'.", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void MapsAreNamedForWhatTheyAreAndTheFloatOutputIsTaken()
    {
        OnnxModel Zipped(bool isTensor)
        {
            var model = TestModels.Of(["x"], isTensor ? ["label", "probabilities"] : ["label", "maps"], b =>
            {
                string scores = isTensor ? "probabilities" : "inner";
                b.NodeTo([scores], "Softmax", "", ["x"]);
                b.NodeTo(["label"], "ArgMax", "", [scores]);
                if (!isTensor)
                {
                    b.NodeTo(["maps"], "ZipMap", "ai.onnx.ml", [scores], Attributes.Of("classlabels_int64s", [0L, 1, 2]));
                }
            });
            model.Proto.OpsetImport.Add(new OperatorSetIdProto { Domain = "ai.onnx.ml", Version = 1 });
            if (!isTensor)
            {
                model.Graph.Output[1].Type = new TypeProto { SequenceType = new() { ElemType = new TypeProto { MapType = new() { KeyType = ElementType.Int64, ValueType = new TypeProto { TensorType = new() { ElemType = ElementType.Float } } } } } };
            }

            return model;
        }

        using OnnxModel tensor = Zipped(true), maps = Zipped(false);
        using LossFunction loss = Loss(tensor, Nothing with { Loss = LossKind.CrossEntropy });
        Assert.Equal("probabilities", Assert.Single(loss.Outputs));
        string message = Assert.Throws<MixedPrecisionException>(() => Loss(maps, Nothing)).Diagnostic.Message;
        Assert.Contains("'maps' (sequence of map from int64 to float)", message, StringComparison.Ordinal);
        Assert.Contains("'inner' (float", message, StringComparison.Ordinal);
    }

    [Fact]
    public void ATransposedSoftmaxKeepsItsAxis()
    {
        using OnnxModel model = Of(
            new Dictionary<string, string[]> { ["y"] = ["batch", "3", "width"] },
            (b, x) => b.Node("Transpose", [b.Node("Softmax", [b.Node("Transpose", [x], Attributes.Of("perm", [0, 2, 1]))], Attributes.Of("axis", 2))], Attributes.Of("perm", [0, 2, 1])));
        using LossFunction loss = Loss(model, Nothing with { Loss = LossKind.CrossEntropy });
        // Two columns of three classes each.
        Tensor y = Tensor.Of<float>([0.2f, 0.7f, 0.5f, 0.2f, 0.3f, 0.1f], 1, 3, 2);
        Assert.Equal(-(Math.Log(0.5) + Math.Log(0.7)) / 2, Check(loss, Sample(), ("y", y)).Value, 5);
    }

    private static void Refused(Action action, params string[] words)
    {
        Diagnostic diagnostic = Assert.Throws<MixedPrecisionException>(action).Diagnostic;
        Assert.Equal((Codes.LabelsDoNotFit, new Place("data.jsonl", 3)), (diagnostic.Code, diagnostic.Place));
        Assert.All(words, word => Assert.Contains(word, diagnostic.Message));
    }
}
